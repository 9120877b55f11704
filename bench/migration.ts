/** How long does it take to migrate a database of version 1, in a process of its own, and with how much memory and space? */
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import pg from 'pg'
import { migrate } from '../src/store/postgres/migrate.ts'
import { startPostgres } from '../test/postgres-server.ts'
import { differingCharges, oldRecords, writeOldPostgres, writeOldSqlite } from '../test/version-1.ts'
import type { Report } from './report.ts'

export const benchMigration = async (report: Report, sizes: readonly number[]): Promise<void> => {
  report.heading('Migrating a database of version 1')
  const rows: string[][] = []
  for (const size of sizes) rows.push(await inSqlite(size), await inPostgres(size))
  report.table(['messages', 'store', 's', 'CPU of the process, s', 'its memory, MB', 'before, MB', 'after, MB'], rows)
}

const inSqlite = async (size: number): Promise<string[]> => {
  const folder = mkdtempSync(join(tmpdir(), 'copilot-credits-bench-'))
  const path = join(folder, 'ledger.db')
  writeOldSqlite(path, oldRecords(size))
  const before = statSync(path).size
  const took = await open('sqlite', 'createSqliteLedger', { path })
  if (differingCharges(path, `${path}.v1`) > 0) throw new Error('charges differ')
  const after = statSync(path).size
  rmSync(folder, { recursive: true })
  return rowOf(size, 'SQLite', took, before, after)
}

const inPostgres = async (size: number): Promise<string[]> => {
  await using server = await startPostgres()
  const url = await server.createDatabase()
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  const bytesOf = async (...tables: readonly string[]): Promise<number> => {
    const { rows } = await client.query(
      'SELECT sum(pg_total_relation_size(name::regclass)) FROM unnest($1::text[]) AS name',
      [tables],
    )
    return Number(rows[0]?.sum)
  }
  await migrate(client, { upTo: 1 })
  await writeOldPostgres(client, oldRecords(size))
  const before = await bytesOf('usage_record', 'daily_total', 'daily_group_total')
  const took = await open('postgres', 'createPostgresLedger', { url, poolSize: 2 })
  const { rows } = await client.query(`
    SELECT count(*) AS differing FROM (
      SELECT organization_id, message_number, message_name, revision, at_ms, day_start, credits_micros, recorded_at,
        superseded_by, timestamp, measurement, digest, coalesce(member, ''), coalesce(report_id, ''),
        coalesce(report_name, ''), version
      FROM usage_record_v1 JOIN rate_card_v1 USING (rate_card_id)
      EXCEPT SELECT organization_id, message_number, message_name, revision, at_ms, day_start, credits_micros, recorded_at,
        superseded_by, timestamp, facts, digest, member, report_id, report_name, rate_card
      FROM record JOIN cell USING (organization_id, cell_id)) AS missing`)
  if (Number(rows[0]?.differing) > 0) throw new Error('charges differ')
  const after = await bytesOf('record', 'cell', 'day', 'day_cell', 'period_cell')
  await client.end()
  return rowOf(size, 'PostgreSQL', took, before, after)
}

type Took = { readonly ms: number; readonly cpuMs: number; readonly memoryKb: number }

const open = async (store: string, name: string, settings: object): Promise<Took> => {
  const url = new URL(`../src/store/${store}/ledger.ts`, import.meta.url).href
  const module = `import { ${name} } from ${JSON.stringify(url)}
    const startedAt = performance.now()
    const ledger = await ${name}(${JSON.stringify(settings)})
    const ms = performance.now() - startedAt
    await ledger.close()
    const { userCPUTime, systemCPUTime, maxRSS } = process.resourceUsage()
    process.stdout.write(JSON.stringify({ ms, cpuMs: (userCPUTime + systemCPUTime) / 1000, memoryKb: maxRSS }))`
  const child = spawn(process.execPath, ['--eval', module], { stdio: ['ignore', 'pipe', 'inherit'] })
  return JSON.parse(await text(child.stdout)) as Took
}

const rowOf = (size: number, store: string, { ms, cpuMs, memoryKb }: Took, before: number, after: number): string[] => [
  size.toLocaleString('en'),
  store,
  (ms / 1000).toFixed(1),
  (cpuMs / 1000).toFixed(1),
  (memoryKb / 1000).toFixed(0),
  (before / 1e6).toFixed(0),
  (after / 1e6).toFixed(0),
]
