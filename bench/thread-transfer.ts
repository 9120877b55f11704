/** What does it cost to put a batch of records together and pass it to the SQLite writer thread, as columns and as objects? */
import { MessageChannel, receiveMessageOnPort } from 'node:worker_threads'
import { batchOf, recordMaker } from './records.ts'
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
      columns: send(() => port1.postMessage(batchOf('default', records))),
      objects: send(() => port1.postMessage(records.map((record) => ({ ...record })))),
    }
    await takeTurns(report, 'warming up', 3, variants)
    const costs = await takeTurns(report, `batches of ${size}`, ROUNDS, variants)
    for (const [name, each] of Object.entries(costs)) {
      rows.push([String(size), name, median(each).toFixed(2), ratio(each, costs.columns)])
    }
  }
  report.table(['records per batch', '', 'CPU of both sides, µs per record', 'ratio'], rows)
  port1.close()
}
