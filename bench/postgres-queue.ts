/**
 * How many statements should append to one organization in PostgreSQL at the same time? 16 callers append batches of 1, 100 and
 * 1,000 records, without HTTP.
 */
import { AppendQueue, type QueueLimits } from '../src/store/postgres/append-queue.ts'
import { Connection } from '../src/store/postgres/connection.ts'
import { createPostgresLedger } from '../src/store/postgres/ledger.ts'
import { RecordWriter } from '../src/store/postgres/record-writer.ts'
import { startPostgres } from '../test/postgres-server.ts'
import { batchOf, recordMaker } from './records.ts'
import { median, type Report } from './report.ts'
import { ratio, takeTurns } from './turns.ts'

const CALLERS = 16
const SECONDS = 1
const ROUNDS = 15
const BATCHES = [1, 100, 1000]

const LIMITS: Readonly<Record<string, QueueLimits>> = {
  'up to four if 500 rows wait, otherwise one (the service)': { statementsAtOnce: 4, rowsForAnother: 500 },
  'always one': { statementsAtOnce: 1, rowsForAnother: 0 },
  'always up to four': { statementsAtOnce: 4, rowsForAnother: 0 },
}

export const benchPostgresQueue = async (report: Report, batches: readonly number[] = BATCHES): Promise<void> => {
  report.heading(`Concurrent statements for one organization in PostgreSQL, ${CALLERS} callers`)
  await using server = await startPostgres({ sync: true })
  const url = await server.createDatabase()
  await (await createPostgresLedger({ url, poolSize: 1 })).close()
  const connection = new Connection({ url, poolSize: 10 })
  const writer = new RecordWriter(connection)
  const recordOf = recordMaker(1_000_000)
  let nextId = 0
  const load = async (limits: QueueLimits, batch: number, seconds: number): Promise<number> => {
    const queue = new AppendQueue(writer, () => connection.deadline(), limits)
    let rows = 0
    const startedAt = performance.now()
    const keepAppending = async (): Promise<void> => {
      while (performance.now() < startedAt + seconds * 1000) {
        const records = Array.from({ length: batch }, () => recordOf(nextId++))
        await queue.append(batchOf('default', records))
        rows += batch
      }
    }
    await Promise.all(Array.from({ length: CALLERS }, keepAppending))
    return rows / ((performance.now() - startedAt) / 1000)
  }
  const rows: string[][] = []
  for (const batch of batches) {
    const variants = Object.fromEntries(
      Object.entries(LIMITS).map(([name, limits]) => [name, () => load(limits, batch, SECONDS)]),
    )
    await takeTurns(report, 'warming up', 1, variants)
    const rates = await takeTurns(report, `batches of ${batch}`, ROUNDS, variants)
    const [ours = []] = Object.values(rates)
    for (const [name, each] of Object.entries(rates)) {
      rows.push([String(batch), name, Math.round(median(each)).toLocaleString('en'), ratio(each, ours)])
    }
  }
  report.table(['records per batch', 'statements at a time', 'records/s (median)', 'ratio (95 % interval)'], rows)
  await connection.close()
}
