/**
 * What does it cost to send the columns of 1,000 records to PostgreSQL as binary arrays, as array literals, or as arrays that
 * pg converts? Counts the CPU of the client and that of the connection's server process.
 */
import pg from 'pg'
import { isCanonicalTimestamp } from '../src/model/timestamp.ts'
import { bigints, byteStrings, integers, texts } from '../src/store/postgres/binary-arrays.ts'
import { createPostgresLedger } from '../src/store/postgres/ledger.ts'
import { startPostgres } from '../test/postgres-server.ts'
import { FIRST, recordMaker } from './records.ts'
import { median, type Report } from './report.ts'
import { cpuOf, ratio, takeTurns } from './turns.ts'

const ROWS = 1000
const STATEMENTS = 20
const ROUNDS = 21

type Columns = {
  readonly bigints: readonly (readonly number[])[]
  readonly integers: readonly number[]
  readonly texts: readonly (readonly (string | undefined)[])[]
  readonly byteStrings: readonly (readonly Uint8Array[])[]
}

const WAYS: Readonly<Record<string, (columns: Columns) => unknown[]>> = {
  'binary arrays': (columns) => [
    ...columns.bigints.map(bigints),
    integers(columns.integers),
    ...columns.texts.map(texts),
    ...columns.byteStrings.map(byteStrings),
  ],
  'array literals': (columns) => [
    ...columns.bigints.map((values) => `{${values.join(',')}}`),
    `{${columns.integers.join(',')}}`,
    ...columns.texts.map((values) => `{${values.map(quoted).join(',')}}`),
    ...columns.byteStrings.map((values) => `{${values.map((bytes) => `"\\\\x${hex(bytes)}"`).join(',')}}`),
  ],
  "pg's conversion": (columns) => [...columns.bigints, columns.integers, ...columns.texts, ...columns.byteStrings],
}

const PLAIN = /^[\w.:@/+-]+$/
const quoted = (value: string | undefined): string => {
  if (value === undefined) return 'NULL'
  return PLAIN.test(value) && value.toUpperCase() !== 'NULL' ? value : `"${value.replace(/["\\]/g, '\\$&')}"`
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('hex')

export const benchPostgresArrays = async (report: Report): Promise<void> => {
  report.heading(`Arrays to PostgreSQL: ${ROWS.toLocaleString('en')} records per statement, ${ROUNDS} rounds`)
  await using server = await startPostgres({ sync: true })
  const url = await server.createDatabase()
  await (await createPostgresLedger({ url, poolSize: 1 })).close()
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  const backend = Number((await client.query('SELECT pg_backend_pid() AS pid')).rows[0].pid)
  const recordOf = recordMaker(1_000_000)
  let nextId = 0
  const measureWay = (toValues: (columns: Columns) => unknown[]) => async () => {
    const firstId = nextId
    nextId += STATEMENTS * ROWS
    const all = Array.from({ length: STATEMENTS }, (_, index) => columnsOf(recordOf, firstId + index * ROWS))
    const before = [performance.now(), process.cpuUsage(), cpuOf(backend)] as const
    for (const columns of all) await client.query({ name: 'insert', text: INSERT, values: toValues(columns) })
    const rows = STATEMENTS * ROWS
    const { user, system } = process.cpuUsage(before[1])
    return {
      ms: (performance.now() - before[0]) / rows,
      client: (user + system) / rows,
      server: (cpuOf(backend) - before[2]) / rows,
    }
  }
  const ways = Object.fromEntries(Object.entries(WAYS).map(([name, toValues]) => [name, measureWay(toValues)]))
  await takeTurns(report, 'warming up', 3, ways)
  const figures = await takeTurns(report, 'arrays', ROUNDS, ways)
  const [ours = []] = Object.values(figures)
  const of = (each: typeof ours, name: 'ms' | 'client' | 'server') => each.map((one) => one[name])
  report.table(
    ['', 'client CPU, µs per row', 'ratio', 'server CPU, µs per row', 'ratio', 'elapsed time, ratio'],
    Object.entries(figures).map(([name, each]) => [
      name,
      median(of(each, 'client')).toFixed(2),
      ratio(of(each, 'client'), of(ours, 'client')),
      median(of(each, 'server')).toFixed(2),
      ratio(of(each, 'server'), of(ours, 'server')),
      ratio(of(each, 'ms'), of(ours, 'ms')),
    ]),
  )
  await client.end()
}

const columnsOf = (recordOf: ReturnType<typeof recordMaker>, firstId: number): Columns => {
  const records = Array.from({ length: ROWS }, (_, index) => recordOf(firstId + index))
  return {
    bigints: [
      records.map(({ messageId }) => messageId as number),
      records.map(({ at }) => at),
      records.map(() => FIRST),
      records.map((_, index) => index),
      records.map(({ credits = 0 }) => credits),
      records.map(({ at }) => at),
    ],
    integers: records.map(() => 0),
    texts: [
      records.map(() => ''),
      records.map(({ timestamp, at }) => (isCanonicalTimestamp(timestamp, at) ? undefined : timestamp)),
    ],
    byteStrings: [records.map(({ facts }) => facts), records.map(({ digest }) => digest)],
  }
}

/** Inserts records as the ledger does, without the totals. */
const INSERT = `
  INSERT INTO record (organization_id, message_number, at_ms, day_start, cell_id, credits_micros, recorded_at, revision,
    message_name, timestamp, facts, digest)
  SELECT 'default', * FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[],
    $7::integer[], $8::text[], $9::text[], $10::bytea[], $11::bytea[])`
