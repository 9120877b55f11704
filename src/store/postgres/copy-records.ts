/**
 * Copies the records of version 1 into cells, piece by piece in the order of their keys. Each piece is a transaction that also writes
 * how far the copy has come, so it continues where it was interrupted, in any process. Totals are added up from the records that
 * count, when an organization is complete. The old tables stay.
 */
import type { ClientBase } from 'pg'
import { periodAt } from '#calendar/periods.ts'
import type { MigrationObserver } from '#ledger/notices.ts'
import { StoreError } from '#model/errors.ts'
import type { EpochMs } from '#model/organization.ts'
import { findOrganization } from '../shared/catalogue.ts'
import { toCell } from '../shared/rows.ts'
import { runStepsAsync } from '../shared/steps.ts'
import { bigints, texts } from './binary-arrays.ts'
import { Cells } from './cells.ts'

const PIECE_ROWS = 20_000
/** The dimensions of version 1. */
const OLD_COLUMNS = ['report_id', 'report_name', 'member', 'rate_card']
const PROGRESS = 'records_copied'

/** What has been copied: everything of earlier organizations, and of this one everything up to a key. */
type Progress = { readonly organizationId: string; readonly after: Key; readonly copied: number }
type Key = readonly [number: string, name: string, revision: number]

const BEFORE_ALL: Key = ['-9223372036854775808', '', -1]

/**
 * `withLock` runs a transaction that no other process of the kind overlaps, and `finish` ends the migration in it. Resolves once
 * this process or another has finished.
 */
export const copyRecords = async (
  client: ClientBase,
  withLock: <T>(work: () => Promise<T>) => Promise<T>,
  { isFinished, finish }: { readonly isFinished: () => Promise<boolean>; readonly finish: () => Promise<void> },
  observe: MigrationObserver,
): Promise<void> => {
  const cells = new Cells()
  let total: number | undefined
  for (;;) {
    const copied = await withLock(async () => {
      if (await isFinished()) return undefined
      total ??= await countOld(client)
      const progress = await readProgress(client)
      const next = await copyPiece(client, cells, progress)
      if (next === undefined) {
        await dropEmpty(client)
        await finish()
      }
      return next?.copied
    })
    if (copied === undefined) return
    const text = (count: number): string => count.toLocaleString('en-US')
    observe(`The database is being migrated: ${text(copied)} of ${text(total ?? copied)} records.`)
  }
}

const countOld = async (client: ClientBase): Promise<number> =>
  Number((await client.query('SELECT count(*) AS count FROM usage_record_v1')).rows[0]?.count)

const readProgress = async (client: ClientBase): Promise<Progress | undefined> => {
  const { rows } = await client.query('SELECT value FROM installation WHERE name = $1', [PROGRESS])
  return rows.length === 0 ? undefined : (JSON.parse(rows[0].value) as Progress)
}

const writeProgress = async (client: ClientBase, progress: Progress): Promise<void> => {
  await client.query(
    `INSERT INTO installation (name, value) VALUES ($1, $2)
     ON CONFLICT (name) DO UPDATE SET value = excluded.value`,
    [PROGRESS, JSON.stringify(progress)],
  )
}

/** Undefined if nothing was left to copy. */
const copyPiece = async (
  client: ClientBase,
  cells: Cells,
  before: Progress | undefined,
): Promise<Progress | undefined> => {
  const progress = before ?? (await nextOrganization(client, '', 0))
  if (progress === undefined) return undefined
  const { organizationId, after, copied } = progress
  const until = await keyAfter(client, organizationId, after)
  const range = [organizationId, ...after, ...(until ?? [])]
  const within = `usage_record_v1.organization_id = $1 AND (message_number, message_name, revision) > ($2, $3, $4)
    ${until === undefined ? '' : 'AND (message_number, message_name, revision) <= ($5, $6, $7)'}`
  const { rows } = await client.query(
    `SELECT DISTINCT coalesce(report_id, '') AS report_id, coalesce(report_name, '') AS report_name,
       coalesce(member, '') AS member, version AS rate_card
     FROM usage_record_v1 JOIN rate_card_v1 USING (rate_card_id) WHERE ${within}`,
    range,
  )
  const ids = await cells.learn(client, organizationId, rows.map(toCell))
  const parameter = (index: number): string => `$${range.length + 1 + index}`
  const { rowCount } = await client.query(
    `INSERT INTO record (organization_id, message_number, message_name, revision, at_ms, day_start, cell_id, credits_micros,
       recorded_at, superseded_by, timestamp, facts, digest)
     SELECT organization_id, message_number, message_name, revision, at_ms, day_start, cell_id, credits_micros,
       recorded_at, superseded_by, timestamp, measurement, digest
     FROM usage_record_v1 JOIN rate_card_v1 USING (rate_card_id)
       JOIN unnest(${parameter(0)}::bigint[], ${parameter(1)}::text[], ${parameter(2)}::text[], ${parameter(3)}::text[],
         ${parameter(4)}::text[]) AS of_piece (cell_id, of_report, named, of_member, card)
       ON coalesce(report_id, '') = of_report AND coalesce(report_name, '') = named AND coalesce(member, '') = of_member
         AND version = card
     WHERE ${within}`,
    [...range, bigints(ids), ...OLD_COLUMNS.map((column) => texts(rows.map((row) => row[column])))],
  )
  const now = copied + (rowCount ?? 0)
  if (until !== undefined) {
    await writeProgress(client, { organizationId, after: until, copied: now })
    return { organizationId, after: until, copied: now }
  }
  await addUp(client, organizationId)
  await compare(client, organizationId)
  const next = await nextOrganization(client, organizationId, now)
  if (next !== undefined) await writeProgress(client, next)
  else await client.query('DELETE FROM installation WHERE name = $1', [PROGRESS])
  return next
}

/** A day with records has a total, so every organization with records is there. */
const nextOrganization = async (client: ClientBase, after: string, copied: number): Promise<Progress | undefined> => {
  const { rows } = await client.query(
    'SELECT min(organization_id) AS id FROM daily_total_v1 WHERE organization_id > $1',
    [after],
  )
  const organizationId: string | null = rows[0]?.id ?? null
  return organizationId === null ? undefined : { organizationId, after: BEFORE_ALL, copied }
}

const keyAfter = async (client: ClientBase, organizationId: string, after: Key): Promise<Key | undefined> => {
  const { rows } = await client.query(
    `SELECT message_number, message_name, revision FROM usage_record_v1
     WHERE organization_id = $1 AND (message_number, message_name, revision) > ($2, $3, $4)
     ORDER BY message_number, message_name, revision LIMIT 1 OFFSET ${PIECE_ROWS - 1}`,
    [organizationId, ...after],
  )
  const [row] = rows
  return row === undefined ? undefined : [row.message_number, row.message_name, row.revision]
}

const addUp = async (client: ClientBase, organizationId: string): Promise<void> => {
  await client.query(
    `INSERT INTO day_cell (organization_id, day_start, cell_id, messages, unpriced, credits_micros)
     SELECT organization_id, day_start, cell_id, count(*), 0, sum(credits_micros)
     FROM record WHERE organization_id = $1 AND superseded_by IS NULL GROUP BY organization_id, day_start, cell_id`,
    [organizationId],
  )
  const organization = await runStepsAsync(
    findOrganization(organizationId),
    async ({ sql, values }) => (await client.query(sql, [...values])).rows,
  )
  if (organization === undefined)
    throw new StoreError(`there are records of an unknown organization, ${organizationId}`)
  const { rows } = await client.query('SELECT day_start FROM daily_total_v1 WHERE organization_id = $1', [
    organizationId,
  ])
  const starts = rows.map((row): EpochMs => Number(row.day_start))
  await client.query(
    `INSERT INTO day (organization_id, day_start, period_start, messages, unpriced, credits_micros, version)
     SELECT $1, daily_total_v1.day_start, of_day.period_start, coalesce(sums.messages, 0), 0, coalesce(sums.credits_micros, 0), version
     FROM daily_total_v1 JOIN unnest($2::bigint[], $3::bigint[]) AS of_day (day_start, period_start) USING (day_start)
       LEFT JOIN (
         SELECT day_start, sum(messages)::bigint AS messages, sum(credits_micros)::bigint AS credits_micros
         FROM day_cell WHERE organization_id = $1 GROUP BY day_start) AS sums USING (day_start)
     WHERE organization_id = $1`,
    [organizationId, bigints(starts), bigints(starts.map((start) => periodAt(organization.calendar, start).start))],
  )
  await client.query(
    `INSERT INTO period_cell (organization_id, period_start, cell_id, messages, unpriced, credits_micros)
     SELECT organization_id, period_start, cell_id, sum(day_cell.messages), 0, sum(day_cell.credits_micros)
     FROM day JOIN day_cell USING (organization_id, day_start) WHERE organization_id = $1
     GROUP BY organization_id, period_start, cell_id`,
    [organizationId],
  )
}

/** The old totals were compared with the old records before. So a difference is a defect, or was made meanwhile. */
const compare = async (client: ClientBase, organizationId: string): Promise<void> => {
  for (const sql of DIFFERENCES) {
    const { rows } = await client.query(`SELECT ${sql} AS number`, [organizationId])
    if (Number(rows[0]?.number) !== 0)
      throw new StoreError(`organization ${organizationId} was not migrated: its charges or totals would differ`)
  }
}

const DIFFERENCES = [
  `(SELECT count(*) FROM usage_record_v1 WHERE organization_id = $1)
    - (SELECT count(*) FROM record WHERE organization_id = $1)`,
  `(SELECT count(*) FROM (
    SELECT 1 FROM (
      SELECT day_start, messages, credits_micros FROM daily_total_v1 WHERE organization_id = $1
      UNION ALL SELECT day_start, -messages, -credits_micros FROM day WHERE organization_id = $1) AS compared
    GROUP BY day_start HAVING sum(messages) <> 0 OR sum(credits_micros) <> 0) AS differing)`,
  `(SELECT count(*) FROM (
    SELECT 1 FROM (
      SELECT day_start, report_id, member, messages, credits_micros FROM daily_group_total_v1 WHERE organization_id = $1
      UNION ALL SELECT day_start, report_id, member, -messages, -credits_micros
      FROM day_cell JOIN cell USING (organization_id, cell_id) WHERE organization_id = $1) AS compared
    GROUP BY day_start, report_id, member HAVING sum(messages) <> 0 OR sum(credits_micros) <> 0) AS differing)`,
]

/** In a new database there is nothing to keep. */
const dropEmpty = async (client: ClientBase): Promise<void> => {
  const { rowCount } = await client.query('SELECT 1 FROM daily_total_v1 LIMIT 1')
  if (rowCount !== 0) return
  for (const table of ['usage_record_v1', 'daily_total_v1', 'daily_group_total_v1', 'rate_card_v1']) {
    await client.query(`DROP TABLE ${table}`)
  }
}
