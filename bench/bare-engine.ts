/**
 * Measures the bare engine: it inserts prepared rows like those of the ledger and the day's total with the durability of the
 * ledger, into tables of its own: those that the ledger had in version 1, so that the measure does not change with the ledger.
 * Arguments: `sqlite:` and a file, or a PostgreSQL URL; rows per transaction; connections (PostgreSQL);
 * seconds; first id. Prints rows per second as JSON.
 */
import { DatabaseSync } from 'node:sqlite'
import pg from 'pg'
import { bigints, byteStrings } from '../src/store/postgres/binary-arrays.ts'

const [url = '', ...numbers] = process.argv.slice(2)
const [batch = 1, connections = 1, seconds = 1, firstId = 0] = numbers.map(Number)
const ORGANIZATION = 'default'
const DAY = Date.parse('2025-01-01T00:00:00Z')
const digest = Buffer.alloc(16, 7)
const measurement = Buffer.alloc(14, 3)
const CREDITS = 11_250_000

const SQLITE_TABLES = `
  CREATE TABLE IF NOT EXISTS bare_record (
    organization_id TEXT NOT NULL, at_ms INTEGER NOT NULL,
    message_id ANY NOT NULL CHECK (typeof(message_id) IN ('integer', 'text')), revision INTEGER NOT NULL, timestamp TEXT,
    member TEXT, report_id TEXT, report_name TEXT, credits_micros INTEGER NOT NULL CHECK (credits_micros >= 0),
    rate_card_id INTEGER NOT NULL, measurement BLOB NOT NULL, digest BLOB NOT NULL, recorded_at INTEGER NOT NULL,
    superseded_by INTEGER, PRIMARY KEY (organization_id, at_ms, message_id, revision)) STRICT, WITHOUT ROWID;
  CREATE UNIQUE INDEX IF NOT EXISTS bare_identity ON bare_record (organization_id, message_id, revision);
  CREATE TABLE IF NOT EXISTS bare_total (
    organization_id TEXT NOT NULL, day_start INTEGER NOT NULL, messages INTEGER NOT NULL, credits_micros INTEGER NOT NULL,
    version INTEGER NOT NULL, PRIMARY KEY (organization_id, day_start)) STRICT, WITHOUT ROWID`

const POSTGRES_TABLES = `
  CREATE TABLE IF NOT EXISTS bare_record (
    organization_id text COLLATE "C" NOT NULL, message_number bigint NOT NULL, message_name text COLLATE "C" NOT NULL,
    revision integer NOT NULL, at_ms bigint NOT NULL, day_start bigint NOT NULL,
    credits_micros bigint NOT NULL CHECK (credits_micros >= 0), recorded_at bigint NOT NULL, superseded_by integer,
    rate_card_id smallint NOT NULL, timestamp text, member text COLLATE "C", report_id text COLLATE "C", report_name text,
    measurement bytea NOT NULL, digest bytea NOT NULL,
    PRIMARY KEY (organization_id, message_number, message_name, revision),
    CHECK ((message_number = 9007199254740992) = (message_name <> '')));
  CREATE INDEX IF NOT EXISTS bare_time ON bare_record (organization_id, at_ms, message_number, message_name);
  CREATE TABLE IF NOT EXISTS bare_total (
    organization_id text COLLATE "C" NOT NULL, day_start bigint NOT NULL, messages bigint NOT NULL,
    credits_micros bigint NOT NULL, version bigint NOT NULL, PRIMARY KEY (organization_id, day_start))`

const runSqlite = (path: string): number => {
  using database = new DatabaseSync(path)
  database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 4000')
  database.exec(SQLITE_TABLES)
  const insert = database.prepare(
    'INSERT INTO bare_record VALUES (?, ?, ?, 0, NULL, ?, NULL, NULL, ?, 1, ?, ?, ?, NULL) ON CONFLICT DO NOTHING',
  )
  const addToDay = database.prepare(
    `INSERT INTO bare_total VALUES (?, ?, ?, ?, 1) ON CONFLICT DO UPDATE SET messages = messages + excluded.messages,
       credits_micros = credits_micros + excluded.credits_micros, version = version + 1`,
  )
  const endsAt = performance.now() + seconds * 1000
  let rows = 0
  while (performance.now() < endsAt) {
    database.exec('BEGIN IMMEDIATE')
    for (let index = 0; index < batch; index++, rows++) {
      const id = firstId + rows
      insert.run(ORGANIZATION, DAY + rows, BigInt(id), `user-${id % 50}`, CREDITS, measurement, digest, DAY)
    }
    addToDay.run(ORGANIZATION, DAY, batch, batch * CREDITS)
    database.exec('COMMIT')
  }
  return rows
}

const runPostgres = async (): Promise<number> => {
  const setUp = new pg.Client({ connectionString: url })
  await setUp.connect()
  await setUp.query(POSTGRES_TABLES)
  await setUp.end()
  const endsAt = performance.now() + seconds * 1000
  const repeated = <T>(value: T): readonly T[] => Array.from({ length: batch }, () => value)
  const constant = [bigints(repeated(CREDITS)), byteStrings(repeated(measurement)), byteStrings(repeated(digest))]
  let next = firstId
  const keepBusy = async (): Promise<void> => {
    const client = new pg.Client({ connectionString: url })
    await client.connect()
    while (performance.now() < endsAt) {
      const ids = Array.from({ length: batch }, () => next++)
      await client.query({
        name: 'insert',
        text: `
          WITH added AS (
            INSERT INTO bare_record (organization_id, message_number, message_name, revision, at_ms, day_start, member,
              credits_micros, recorded_at, rate_card_id, measurement, digest)
            SELECT $1, id, '', 0, at_ms, $2, 'user-1', credits_micros, $2, 1, measurement, digest
            FROM unnest($3::bigint[], $4::bigint[], $5::bigint[], $6::bytea[], $7::bytea[])
              AS input (id, at_ms, credits_micros, measurement, digest)
            ON CONFLICT DO NOTHING RETURNING credits_micros)
          INSERT INTO bare_total (organization_id, day_start, messages, credits_micros, version)
          SELECT $1, $2, count(*), sum(credits_micros)::bigint, 1 FROM added
          ON CONFLICT (organization_id, day_start) DO UPDATE SET
            messages = bare_total.messages + excluded.messages,
            credits_micros = bare_total.credits_micros + excluded.credits_micros,
            version = bare_total.version + 1`,
        values: [ORGANIZATION, DAY, bigints(ids), bigints(ids.map((id) => DAY + (id % 80_000_000))), ...constant],
      })
    }
    await client.end()
  }
  await Promise.all(Array.from({ length: connections }, keepBusy))
  return next - firstId
}

const startedAt = performance.now()
const rows = url.startsWith('sqlite:') ? runSqlite(url.slice('sqlite:'.length)) : await runPostgres()
process.stdout.write(JSON.stringify({ rowsPerSecond: rows / ((performance.now() - startedAt) / 1000) }))
