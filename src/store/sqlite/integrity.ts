/** Checks whether the file is intact and the totals equal the sums of the records. No findings means no damage. */
import type { DatabaseSync } from 'node:sqlite'
import type { Dimension } from '#model/cell.ts'
import { StoreError } from '#model/errors.ts'
import { LIMITED, OTHER, otherColumn } from '../shared/others.ts'

export const FINDINGS_MAX = 100

/** Checks the structure of the file. `integrity_check` also compares each index with its table, in twice the time (bench/sqlite-check.ts). */
export const checkStructure = (database: DatabaseSync, pragma: 'quick_check' | 'integrity_check'): readonly string[] =>
  attempt(() =>
    database
      .prepare(`PRAGMA ${pragma}(${FINDINGS_MAX})`)
      .all()
      .map((row) => String(row[pragma]))
      .filter((line) => line !== 'ok'),
  )

export const summaryOf = (findings: readonly string[]): string =>
  `${findings[0]}${findings.length === 1 ? '' : `, and ${findings.length - 1} more findings`}`

export const damaged = (path: string, findings: readonly string[]): StoreError =>
  new StoreError(
    `${path} is damaged: ${summaryOf(findings)}. ` +
      'All requests to the database are refused. List the damage with "copilot-credits db check", and restore a backup with ' +
      '"copilot-credits db restore"',
  )

/** Compares the records with the totals, day by day, and those with the totals of periods, in transactions that hold nobody up. */
export function* checkTotals(database: DatabaseSync): Generator<string> {
  for (const organizationId of organizationsOf(database)) {
    yield* checkDays(database, organizationId)
    yield* checkPeriods(database, organizationId)
  }
}

/**
 * Checks that every superseded charge has its successor, and that every later revision supersedes the one before it or adjusts it.
 */
export const checkRevisions = (database: DatabaseSync): readonly string[] =>
  attempt(() =>
    database
      .prepare(BROKEN_REVISIONS)
      .all(FINDINGS_MAX)
      .map((row) => `message ${shown(row['message_id'])} of organization ${row['organization_id']}: ${row['finding']}`),
  )

const BROKEN_REVISIONS = `
  SELECT organization_id, message_id, 'revision ' || revision || ' is superseded by a revision that does not exist' AS finding
  FROM record AS old
  WHERE superseded_by IS NOT NULL AND (superseded_by <> revision + 1 OR NOT EXISTS (
    SELECT 1 FROM record AS new WHERE new.organization_id = old.organization_id
      AND new.message_id = old.message_id AND new.revision = old.superseded_by))
  UNION ALL
  SELECT organization_id, message_id, 'revision ' || revision || ' does not supersede the one before it'
  FROM record AS new
  WHERE revision > 0 AND NOT EXISTS (
    SELECT 1 FROM record AS old WHERE old.organization_id = new.organization_id
      AND old.message_id = new.message_id AND old.revision = new.revision - 1
      AND (old.superseded_by = new.revision OR old.superseded_by IS NULL AND new.own_at_ms IS NOT NULL))
  LIMIT ?`

/** Checks that a record keeps a name exactly if its cell has `(other)` in its place. */
export const checkOtherNames = (database: DatabaseSync): readonly string[] =>
  attempt(() =>
    database
      .prepare(WRONG_NAMES)
      .all(FINDINGS_MAX)
      .map(
        (row) =>
          `message ${shown(row['message_id'])} of organization ${row['organization_id']}: ` +
          `revision ${row['revision']} keeps a model or feature that does not count to "${OTHER}", or lacks one that does`,
      ),
  )

/** Looks at all records only if there is such a cell. */
const WRONG_NAMES = `
  WITH other AS MATERIALIZED (
    SELECT organization_id, cell_id FROM cell WHERE ${LIMITED.map((dimension) => `${dimension} = '${OTHER}'`).join(' OR ')}
  )
  SELECT organization_id, message_id, revision
  FROM record CROSS JOIN other USING (organization_id, cell_id)
    LEFT JOIN other_name USING (organization_id, at_ms, message_id, revision)
  WHERE EXISTS (SELECT 1 FROM other) AND other_name.organization_id IS NULL
  UNION ALL
  SELECT other_name.organization_id, other_name.message_id, other_name.revision
  FROM other_name LEFT JOIN record USING (organization_id, at_ms, message_id, revision)
    LEFT JOIN cell ON cell.organization_id = record.organization_id AND cell.cell_id = record.cell_id
  WHERE ${LIMITED.map((by) => `(cell.${by} IS '${OTHER}') <> (${otherColumn(by)} IS NOT NULL)`).join(' OR ')}
  LIMIT ?`

/** Every organization with records or totals; a damaged database may have only one of the two. Steps through the index. */
function* organizationsOf(database: DatabaseSync): Generator<string> {
  const next = database.prepare(`
    SELECT min(organization_id) AS id FROM (
      SELECT min(organization_id) AS organization_id FROM record WHERE organization_id > ?1
      UNION ALL SELECT min(organization_id) FROM day WHERE organization_id > ?1
      UNION ALL SELECT min(organization_id) FROM day_cell WHERE organization_id > ?1
      UNION ALL SELECT min(organization_id) FROM period_cell WHERE organization_id > ?1)`)
  for (let id = ''; ; ) {
    const found = next.get(id)?.['id']
    if (typeof found !== 'string') return
    yield found
    id = found
  }
}

function* checkDays(database: DatabaseSync, organizationId: string): Generator<string> {
  let from = Number.MIN_SAFE_INTEGER
  // The first range ends at the first day. It has no totals, so any record in it is a finding.
  for (;;) {
    const { to, findings } = atOneMoment(database, () => {
      const next = nextDay(database, organizationId, from)
      return { to: next, findings: attempt(() => compareDay(database, organizationId, from, next)) }
    })
    yield* findings
    if (to === Number.MAX_SAFE_INTEGER) return
    from = to
  }
}

const nextDay = (database: DatabaseSync, organizationId: string, after: number): number =>
  Number(
    database
      .prepare(`
        SELECT min(day_start) AS day FROM (
          SELECT min(day_start) AS day_start FROM day WHERE organization_id = ?1 AND day_start > ?2
          UNION ALL SELECT min(day_start) FROM day_cell WHERE organization_id = ?1 AND day_start > ?2)`)
      .get(organizationId, after)?.['day'] ?? Number.MAX_SAFE_INTEGER,
  )

function* checkPeriods(database: DatabaseSync, organizationId: string): Generator<string> {
  const starts = database
    .prepare(
      `SELECT period_start FROM day WHERE organization_id = ?1
       UNION SELECT period_start FROM period_cell WHERE organization_id = ?1 ORDER BY period_start`,
    )
    .all(organizationId)
  for (const { period_start: start } of starts) {
    yield* atOneMoment(database, () => attempt(() => comparePeriod(database, organizationId, start as number)))
  }
}

/** Everything that is compared must be from the same moment, because messages arrive meanwhile. */
const atOneMoment = <T>(database: DatabaseSync, read: () => T): T => {
  database.exec('BEGIN')
  try {
    return read()
  } finally {
    database.exec('COMMIT')
  }
}

type Sum = { readonly messages: bigint; readonly unpriced: bigint; readonly credits: bigint }
type CellSum = Sum & { readonly cell: bigint }

const sums = (database: DatabaseSync, sql: string, ...values: readonly (string | number)[]): readonly CellSum[] => {
  const statement = database.prepare(sql)
  statement.setReadBigInts(true)
  return statement.all(...values) as unknown as readonly CellSum[]
}

/** `from` and `to` are the starts of two consecutive days. */
const compareDay = (database: DatabaseSync, organizationId: string, from: number, to: number): readonly string[] => {
  const records = sums(
    database,
    `SELECT cell_id AS cell, count(*) AS messages, count(*) - count(credits_micros) AS unpriced,
       coalesce(sum(credits_micros), 0) AS credits
     FROM record
     WHERE organization_id = ? AND at_ms >= ? AND at_ms < ? AND superseded_by IS NULL GROUP BY cell_id`,
    organizationId,
    from,
    to,
  )
  const cells = sums(
    database,
    'SELECT cell_id AS cell, messages, unpriced, credits_micros AS credits FROM day_cell WHERE organization_id = ? AND day_start = ?',
    organizationId,
    from,
  )
  const [total = NOTHING] = sums(
    database,
    'SELECT 0 AS cell, messages, unpriced, credits_micros AS credits FROM day WHERE organization_id = ? AND day_start = ?',
    organizationId,
    from,
  )
  const misplaced = sums(
    database,
    `SELECT 0 AS cell, count(*) AS messages, 0 AS unpriced, 0 AS credits FROM record
     WHERE organization_id = ? AND at_ms >= ? AND at_ms < ? AND day_start <> ?`,
    organizationId,
    from,
    to,
    from,
  )
  const day = `organization ${organizationId}, ${dayText(from)}`
  const ofRecords = sumOf(records)
  return [
    ...(isSame(total, ofRecords)
      ? []
      : [`${day}: the total says ${text(total)}, the records add up to ${text(ofRecords)}`]),
    ...differences(database, organizationId, day, cells, records, 'the records add up to'),
    ...(misplaced[0]?.messages ? [`${day}: ${misplaced[0].messages} records name another day`] : []),
  ]
}

const comparePeriod = (database: DatabaseSync, organizationId: string, start: number): readonly string[] => {
  const days = sums(
    database,
    `SELECT cell_id AS cell, sum(day_cell.messages) AS messages, sum(day_cell.unpriced) AS unpriced,
       sum(day_cell.credits_micros) AS credits
     FROM day JOIN day_cell USING (organization_id, day_start)
     WHERE organization_id = ? AND period_start = ? GROUP BY cell_id`,
    organizationId,
    start,
  )
  const kept = sums(
    database,
    `SELECT cell_id AS cell, messages, unpriced, credits_micros AS credits FROM period_cell
     WHERE organization_id = ? AND period_start = ?`,
    organizationId,
    start,
  )
  const period = `organization ${organizationId}, period starting ${new Date(start).toISOString()}`
  return differences(database, organizationId, period, kept, days, 'its days add up to')
}

/** Compares stored totals of cells with what they should be. */
const differences = (
  database: DatabaseSync,
  organizationId: string,
  of: string,
  kept: readonly CellSum[],
  counted: readonly CellSum[],
  addUp: string,
): readonly string[] => {
  const left = new Map(kept.map((sum) => [sum.cell, sum]))
  const findings: string[] = []
  const compare = (cell: bigint, total: Sum, sum: Sum): void => {
    if (isSame(total, sum)) return
    findings.push(
      `${of}, ${cellText(database, organizationId, cell)}: the total says ${text(total)}, ${addUp} ${text(sum)}`,
    )
  }
  for (const sum of counted) {
    compare(sum.cell, left.get(sum.cell) ?? NOTHING, sum)
    left.delete(sum.cell)
  }
  for (const [cell, total] of left) compare(cell, total, NOTHING)
  return findings
}

const cellText = (database: DatabaseSync, organizationId: string, cell: bigint): string => {
  const row = database.prepare('SELECT * FROM cell WHERE organization_id = ? AND cell_id = ?').get(organizationId, cell)
  if (row === undefined) return `cell ${cell}, which does not exist`
  const name = (value: unknown): string => (value === '' ? 'none' : JSON.stringify(value))
  const others = OTHERS.filter((column) => row[column]).map((column) => `, ${column} ${name(row[column])}`)
  return `report ${name(row['report_id'])}, member ${name(row['member'])}${others.join('')}`
}

/** Few cells have these, and none of version 1. */
const OTHERS = ['team', 'model', 'feature', 'outcome'] as const satisfies readonly Dimension[]

const NOTHING: Sum = { messages: 0n, unpriced: 0n, credits: 0n }

const sumOf = (all: readonly Sum[]): Sum =>
  all.reduce(
    (sum, { messages, unpriced, credits }) => ({
      messages: sum.messages + messages,
      unpriced: sum.unpriced + unpriced,
      credits: sum.credits + credits,
    }),
    NOTHING,
  )

const isSame = (one: Sum, other: Sum): boolean =>
  one.messages === other.messages && one.unpriced === other.unpriced && one.credits === other.credits

const text = ({ messages, unpriced, credits }: Sum): string =>
  `${messages} messages${unpriced === 0n ? '' : `, ${unpriced} of them unpriced,`} and ${credits} micro-credits`

const dayText = (start: number): string =>
  start === Number.MIN_SAFE_INTEGER ? 'before its first day' : `day starting ${new Date(start).toISOString()}`

const shown = (id: unknown): string => (typeof id === 'string' ? JSON.stringify(id) : String(id))

/** An unreadable page is a finding, not a failure. */
const attempt = (check: () => readonly string[]): readonly string[] => {
  try {
    return check()
  } catch (error) {
    return [(error as Error).message]
  }
}
