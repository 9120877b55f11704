/** Checks whether the file is intact and the totals equal the sums of the records. No findings means no damage. */
import type { DatabaseSync } from 'node:sqlite'

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

/** Compares the records with the totals, day by day, in short transactions that hold nobody up. */
export function* checkTotals(database: DatabaseSync): Generator<string> {
  for (const organizationId of organizationsOf(database)) yield* checkOrganization(database, organizationId)
}

/** Checks that every superseded charge has its successor, and every later revision its predecessor. */
export const checkRevisions = (database: DatabaseSync): readonly string[] =>
  attempt(() =>
    database
      .prepare(BROKEN_REVISIONS)
      .all(FINDINGS_MAX)
      .map((row) => `message ${shown(row['message_id'])} of organization ${row['organization_id']}: ${row['finding']}`),
  )

const BROKEN_REVISIONS = `
  SELECT organization_id, message_id, 'revision ' || revision || ' is superseded by a revision that does not exist' AS finding
  FROM usage_record AS old
  WHERE superseded_by IS NOT NULL AND (superseded_by <> revision + 1 OR NOT EXISTS (
    SELECT 1 FROM usage_record AS new WHERE new.organization_id = old.organization_id
      AND new.message_id = old.message_id AND new.revision = old.superseded_by))
  UNION ALL
  SELECT organization_id, message_id, 'revision ' || revision || ' does not supersede the one before it'
  FROM usage_record AS new
  WHERE revision > 0 AND NOT EXISTS (
    SELECT 1 FROM usage_record AS old WHERE old.organization_id = new.organization_id
      AND old.message_id = new.message_id AND old.revision = new.revision - 1 AND old.superseded_by = new.revision)
  LIMIT ?`

/** Every organization with records or totals; a damaged database may have only one of the two. Steps through the index. */
function* organizationsOf(database: DatabaseSync): Generator<string> {
  const next = database.prepare(`
    SELECT min(organization_id) AS id FROM (
      SELECT min(organization_id) AS organization_id FROM usage_record WHERE organization_id > ?1
      UNION ALL SELECT min(organization_id) FROM daily_total WHERE organization_id > ?1
      UNION ALL SELECT min(organization_id) FROM daily_group_total WHERE organization_id > ?1)`)
  for (let id = ''; ; ) {
    const found = next.get(id)?.['id']
    if (typeof found !== 'string') return
    yield found
    id = found
  }
}

function* checkOrganization(database: DatabaseSync, organizationId: string): Generator<string> {
  let from = Number.MIN_SAFE_INTEGER
  // The first range ends at the first day. It has no totals, so any record in it is a finding.
  for (;;) {
    // One transaction, so that the records and totals of a day are from the same moment.
    database.exec('BEGIN')
    let to: number
    let findings: readonly string[]
    try {
      to = nextDay(database, organizationId, from)
      findings = attempt(() => compareDay(database, organizationId, from, to))
    } finally {
      database.exec('COMMIT')
    }
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
          SELECT min(day_start) AS day_start FROM daily_total WHERE organization_id = ?1 AND day_start > ?2
          UNION ALL SELECT min(day_start) FROM daily_group_total WHERE organization_id = ?1 AND day_start > ?2)`)
      .get(organizationId, after)?.['day'] ?? Number.MAX_SAFE_INTEGER,
  )

type Sum = { readonly messages: bigint; readonly credits: bigint }
type SumRow = Sum & { readonly report_id: string; readonly member: string }

const compareDay = (database: DatabaseSync, organizationId: string, from: number, to: number): readonly string[] => {
  const all = (sql: string, ...values: readonly (string | number)[]): readonly SumRow[] => {
    const statement = database.prepare(sql)
    statement.setReadBigInts(true)
    return statement.all(...values) as unknown as readonly SumRow[]
  }
  const records = all(
    `SELECT coalesce(report_id, '') AS report_id, coalesce(member, '') AS member, count(*) AS messages,
       sum(credits_micros) AS credits
     FROM usage_record WHERE organization_id = ? AND at_ms >= ? AND at_ms < ? AND superseded_by IS NULL GROUP BY 1, 2`,
    organizationId,
    from,
    to,
  )
  const groups = all(
    `SELECT report_id, member, messages, credits_micros AS credits FROM daily_group_total
     WHERE organization_id = ? AND day_start = ?`,
    organizationId,
    from,
  )
  const [total = NOTHING] = all(
    `SELECT '' AS report_id, '' AS member, messages, credits_micros AS credits FROM daily_total
     WHERE organization_id = ? AND day_start = ?`,
    organizationId,
    from,
  )
  const day = `organization ${organizationId}, ${dayText(from)}`
  const ofRecords = sumOf(records)
  const findings = isSame(total, ofRecords)
    ? []
    : [`${day}: the total says ${text(total)}, the records add up to ${text(ofRecords)}`]
  const byKey = new Map(groups.map((group) => [keyOf(group), group]))
  for (const record of records) {
    const group = byKey.get(keyOf(record)) ?? NOTHING
    byKey.delete(keyOf(record))
    if (!isSame(group, record))
      findings.push(`${day}, ${keyOf(record)}: the total says ${text(group)}, the records add up to ${text(record)}`)
  }
  for (const [key, group] of byKey) {
    if (!isSame(group, NOTHING))
      findings.push(`${day}, ${key}: the total says ${text(group)}, but there are no records`)
  }
  return findings
}

const NOTHING: Sum = { messages: 0n, credits: 0n }

const sumOf = (sums: readonly Sum[]): Sum =>
  sums.reduce(
    (sum, { messages, credits }) => ({ messages: sum.messages + messages, credits: sum.credits + credits }),
    NOTHING,
  )

const isSame = (one: Sum, other: Sum): boolean => one.messages === other.messages && one.credits === other.credits

const text = ({ messages, credits }: Sum): string => `${messages} messages and ${credits} micro-credits`

const keyOf = ({ report_id: report, member }: SumRow): string =>
  `report ${report === '' ? 'none' : JSON.stringify(report)}, member ${member === '' ? 'none' : JSON.stringify(member)}`

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
