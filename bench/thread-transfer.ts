/** What does it cost to pass a batch of records to the SQLite writer thread as columns, and as objects? */
import { MessageChannel, receiveMessageOnPort } from 'node:worker_threads'
import type { AppendBatch } from '../src/ledger/ledger.ts'
import { toColumns } from '../src/store/sqlite/record-columns.ts'
import { FIRST, recordMaker } from './records.ts'
import { median, type Report } from './report.ts'
import { ratio, takeTurns } from './turns.ts'

const BATCHES = [1, 10, 100, 1000]
const ROWS_A_TURN = 20_000
const ROUNDS = 15

export const benchThreadTransfer = async (report: Report): Promise<void> => {
  report.heading('Records to the SQLite writer thread')
  const { port1, port2 } = new MessageChannel()
  const recordOf = recordMaker(1_000_000)
  const rows: string[][] = []
  for (const size of BATCHES) {
    const records = Array.from({ length: size }, (_, index) => recordOf(index))
    const batch: AppendBatch = { organizationId: 'default', records, onChange: 'refuse', recordedAt: FIRST }
    const send = (post: () => void) => async (): Promise<number> => {
      const before = process.threadCpuUsage()
      for (let row = 0; row < ROWS_A_TURN; row += size) {
        post()
        receiveMessageOnPort(port2)
      }
      const { user, system } = process.threadCpuUsage(before)
      return (user + system) / ROWS_A_TURN
    }
    const variants = {
      'columns, transferred': send(() => {
        const columns = toColumns(batch)
        const { at, dayStarts, credits, measurements, measurementEnds, digests } = columns
        const buffers = [at, dayStarts, credits, measurements, measurementEnds, digests]
        port1.postMessage(
          columns,
          buffers.map(({ buffer }) => buffer as ArrayBuffer),
        )
      }),
      'columns, copied': send(() => port1.postMessage(toColumns(batch))),
      objects: send(() => port1.postMessage(batch)),
    }
    await takeTurns(report, 'warming up', 3, variants)
    const costs = await takeTurns(report, `batches of ${size}`, ROUNDS, variants)
    for (const [name, each] of Object.entries(costs)) {
      rows.push([String(size), name, median(each).toFixed(2), ratio(each, costs['columns, transferred'])])
    }
  }
  report.table(['records per batch', '', 'CPU of both sides, µs per record', 'ratio'], rows)
  port1.close()
}
