/** Is the file whole, and do the kept totals equal the sum of the records? Each finding is a sentence; none is good. */
import type { DatabaseSync } from 'node:sqlite'

export const FINDINGS_MAX = 100

/** The structure of the file. `integrity_check` also compares each index with its table, in twice the time (`npm run bench -- check`). */
export const checkStructure = (database: DatabaseSync, pragma: 'quick_check' | 'integrity_check'): readonly string[] =>
  attempt(() =>
    database
      .prepare(`PRAGMA ${pragma}(${FINDINGS_MAX})`)
      .all()
      .map((row) => String(row[pragma]))
      .filter((line) => line !== 'ok'),
  )

/** The records of each day against its totals, day by day: each look is a short one that keeps nobody up. */
export function* checkTotals(database: DatabaseSync): Generator<string> {
  for (const organizationId of organizationsOf(database)) yield* checkOrganization(database, organizationId)
}

/** Every amended charge must be followed by the one that took its place. */
export const checkRevisions = (database: DatabaseSync): readonly string[] =>
  attempt(() =>
    database
      .prepare(BROKEN_REVISIONS)
      .all(FINDINGS_MAX)
      .map((row) => `message ${shown(row['message_id'])} of organization ${row['organization_id']}: ${row['finding']}`),
  )

const BROKEN_REVISIONS = `
  SELECT organization_id, message_id, 'revision ' || revision || ' is superseded by one that is not there' AS finding
  FROM usage_record AS old
  WHERE superseded_by IS NOT NULL AND (superseded_by <> revision + 1 OR NOT EXISTS (
    SELECT 1 FROM usage_record AS new WHERE new.organization_id = old.organization_id
      AND new.message_id = old.message_id AND new.revision = old.superseded_by))
  UNION ALL
  SELECT organization_id, message_id, 'revision ' || revision || ' supersedes none'
  FROM usage_record AS new
  WHERE revision > 0 AND NOT EXISTS (
    SELECT 1 FROM usage_record AS old WHERE old.organization_id = new.organization_id
      AND old.message_id = new.message_id AND old.revision = new.revision - 1 AND old.superseded_by = new.revision)
  LIMIT ?`

/** All of whom there are records or totals, one by one through the index: there may be records without totals. */
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
  // What comes before the first day belongs to none; so the first look is at a day without totals.
  for (;;) {
    // One moment for the records and the totals of a day.
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
    : [`${day}: the total is ${text(total)}, the records are ${text(ofRecords)}`]
  const byKey = new Map(groups.map((group) => [keyOf(group), group]))
  for (const record of records) {
    const group = byKey.get(keyOf(record)) ?? NOTHING
    byKey.delete(keyOf(record))
    if (!isSame(group, record))
      findings.push(`${day}, ${keyOf(record)}: the total is ${text(group)}, the records are ${text(record)}`)
  }
  for (const [key, group] of byKey) {
    if (!isSame(group, NOTHING)) findings.push(`${day}, ${key}: the total is ${text(group)}, and there are no records`)
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
  start === Number.MIN_SAFE_INTEGER ? 'before its first day' : `the day from ${new Date(start).toISOString()}`

const shown = (id: unknown): string => (typeof id === 'string' ? JSON.stringify(id) : String(id))

/** A page that cannot be read is a finding. */
const attempt = (check: () => readonly string[]): readonly string[] => {
  try {
    return check()
  } catch (error) {
    return [(error as Error).message]
  }
}
