/** Databases as releases before cells wrote them: records with revisions, and totals by day and by report and member. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { isDeepStrictEqual } from 'node:util'
import type pg from 'pg'
import { createDayFinder } from '../src/calendar/days.ts'
import { periodAt } from '../src/calendar/periods.ts'
import type { DayTotal, GroupTotal, Ledger, LedgerView } from '../src/ledger/ledger.ts'
import { compareIds } from '../src/model/line-order.ts'
import { type BillingCalendar, CALENDAR_BEGINS } from '../src/model/organization.ts'
import { type Id, parseId } from '../src/model/report.ts'
import { canonicalTimestamp } from '../src/model/timestamp.ts'
import { randomFrom } from './faults/random.ts'

export type OldRecord = {
  readonly organizationId: string
  readonly at: number
  readonly dayStart: number
  readonly messageId: number | string
  readonly revision: number
  readonly timestamp: string | null
  readonly member: string | null
  readonly reportId: string | null
  readonly reportName: string | null
  readonly credits: number
  readonly rateCardId: number
  readonly measurement: Uint8Array
  readonly digest: Uint8Array
  readonly recordedAt: number
  readonly supersededBy: number | null
}

const OLD_CONTENT_KEY = 'ab'.repeat(32)
export const OLD_RATE_CARDS = ['2024-01', '2024-04']

const entry = (effectiveFrom: number, timeZone: string, anchorDay: number) => ({ effectiveFrom, timeZone, anchorDay })

/** The last one never had a message. */
export const OLD_ORGANIZATIONS: readonly { readonly id: string; readonly calendar: BillingCalendar }[] = [
  { id: 'default', calendar: [entry(CALENDAR_BEGINS, 'UTC', 1)] },
  {
    id: 'acme',
    calendar: [
      entry(CALENDAR_BEGINS, 'America/New_York', 31),
      entry(Date.parse('2024-03-31T04:00:00Z'), 'Asia/Kolkata', 15),
    ],
  },
  { id: 'köln', calendar: [entry(CALENDAR_BEGINS, 'Europe/Berlin', 15)] },
  { id: 'quiet', calendar: [entry(CALENDAR_BEGINS, 'Pacific/Auckland', 1)] },
]

const FIRST = Date.parse('2024-01-28T00:00:00Z')
const SPAN_MS = 120 * 86_400_000

/** Records of three organizations, in about the order of time. One message in twenty was amended, some of them twice. */
export function* oldRecords(messages: number, seed = 1): Generator<OldRecord> {
  const random = randomFrom(seed)
  const pick = <T>(from: readonly T[]): T => from[Math.floor(random() * from.length)] as T
  const busy = OLD_ORGANIZATIONS.slice(0, 3).map(({ id, calendar }) => ({ id, dayOf: createDayFinder(calendar) }))
  const members = [null, 'ann', 'bob', 'Zoë', ...Array.from({ length: 40 }, (_, index) => `user-${index}`)]
  for (let number = 1; number <= messages; number++) {
    const { id: organizationId, dayOf } = pick(busy)
    const nominal = FIRST + Math.floor((SPAN_MS * number) / messages)
    const messageId = random() < 0.3 ? `message-${number}-${Math.floor(random() * 1e9)}` : number
    const revisions = random() < 0.05 ? (random() < 0.2 ? 3 : 2) : 1
    let at = nominal + Math.floor(random() * 600_000)
    let member = pick(members)
    for (let revision = 0; revision < revisions; revision++) {
      if (revision > 0 && random() < 0.3) at += Math.floor((random() - 0.5) * 3 * 86_400_000)
      if (revision > 0 && random() < 0.3) member = pick(members)
      const report = random() < 0.2 ? Math.floor(random() * 30) : undefined
      const isText = report !== undefined && report % 7 === 0
      yield {
        organizationId,
        at,
        dayStart: dayOf(at).start,
        messageId,
        revision,
        timestamp: random() < 0.2 ? canonicalTimestamp(at).replace('Z', '456+00:00') : null,
        member,
        reportId: report === undefined ? null : isText ? `report ${report}` : String(report),
        // Renamed in March, and once more within a day.
        reportName:
          report === undefined
            ? null
            : `Report ${report}${number > messages / 3 ? ' (new)' : ''}${report === 3 && number % 2 === 0 ? '!' : ''}`,
        credits: Math.floor(random() * 50) * 50_000 + (number % 1000 === 0 ? 9_000_000_000_000 : 0),
        rateCardId: number > messages / 2 && random() < 0.9 ? 2 : 1,
        measurement: bytesOf(random, 4 + Math.floor(random() * 12)),
        digest: bytesOf(random, 16),
        recordedAt: at + 1000 + revision,
        supersededBy: revision + 1 < revisions ? revision + 1 : null,
      }
    }
  }
}

const bytesOf = (random: () => number, count: number): Uint8Array =>
  Uint8Array.from({ length: count }, () => Math.floor(random() * 256))

export type OldTotal = { messages: number; credits: bigint; version: number }
export type OldGroup = OldTotal & { reportName: string | null }

/** Totals as the old writer kept them: a group has the last name that its report was charged under. */
export class OldTotals {
  /** Keyed by organization and day. */
  readonly days = new Map<string, OldTotal>()
  /** Keyed by organization, day, report and member. */
  readonly groups = new Map<string, OldGroup>()

  add(record: OldRecord): void {
    const { organizationId, dayStart, reportId, member, reportName, supersededBy } = record
    const day = found(this.days, [organizationId, dayStart], () => ({ messages: 0, credits: 0n, version: 0 }))
    const start = (): OldGroup => ({ messages: 0, credits: 0n, version: 0, reportName: null })
    const group = found(this.groups, [organizationId, dayStart, reportId ?? '', member ?? ''], start)
    group.reportName = reportName ?? group.reportName
    for (const total of [day, group]) {
      total.version += supersededBy === null ? 1 : 2
      if (supersededBy !== null) continue
      total.messages++
      total.credits += BigInt(record.credits)
    }
  }
}

const found = <T>(map: Map<string, T>, key: readonly unknown[], start: () => T): T => {
  const text = JSON.stringify(key)
  const known = map.get(text) ?? start()
  map.set(text, known)
  return known
}

const SCHEMA = readFileSync(new URL('../src/store/sqlite/migrations/0001-ledger.sql', import.meta.url), 'utf8')

/** The file is left in WAL mode, marked as a database that was in use. */
export const writeOldSqlite = (path: string, records: Iterable<OldRecord>): OldTotals => {
  using database = new DatabaseSync(path)
  database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF; BEGIN')
  database.exec(`${SCHEMA}; PRAGMA user_version = 1`)
  for (const { id, calendar } of OLD_ORGANIZATIONS) {
    if (id !== 'default') database.prepare('INSERT INTO organization VALUES (?, ?, ?)').run(id, `The ${id}`, 1)
    database.prepare('DELETE FROM billing_calendar WHERE organization_id = ?').run(id)
    for (const { effectiveFrom, timeZone, anchorDay } of calendar) {
      database.prepare('INSERT INTO billing_calendar VALUES (?, ?, ?, ?)').run(id, effectiveFrom, timeZone, anchorDay)
    }
  }
  OLD_RATE_CARDS.forEach((version, index) => {
    database.prepare('INSERT INTO rate_card VALUES (?, ?)').run(index + 1, version)
  })
  database.prepare('INSERT INTO report VALUES (?, ?, ?)').run('7', 'Tenant obligations', 5_000_000)
  database
    .prepare("INSERT INTO api_key VALUES ('acme', ?, 'key-1', 'first', 'usage:read', 5, NULL)")
    .run(new Uint8Array(32))
  database.exec(`INSERT INTO installation VALUES ('content_key', '${OLD_CONTENT_KEY}'), ('latest_instant', '5'),
    ('database_id', '11111111-2222-4333-8444-555555555555'), ('generation', '7')`)
  const insert = database.prepare(`INSERT INTO usage_record VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`)
  const totals = new OldTotals()
  for (const record of records) {
    totals.add(record)
    const { messageId } = record
    insert.run(
      record.organizationId,
      record.at,
      typeof messageId === 'number' ? BigInt(messageId) : messageId,
      record.revision,
      record.timestamp,
      record.member,
      record.reportId,
      record.reportName,
      record.credits,
      record.rateCardId,
      record.measurement,
      record.digest,
      record.recordedAt,
      record.supersededBy,
    )
  }
  const insertDay = database.prepare('INSERT INTO daily_total VALUES (?, ?, ?, ?, ?)')
  for (const [key, { messages, credits, version }] of totals.days) {
    const [organizationId, dayStart] = JSON.parse(key)
    insertDay.run(organizationId, dayStart, messages, credits, version)
  }
  const insertGroup = database.prepare('INSERT INTO daily_group_total VALUES (?, ?, ?, ?, ?, ?, ?)')
  for (const [key, { messages, credits, reportName }] of totals.groups) {
    const [organizationId, dayStart, reportId, member] = JSON.parse(key)
    insertGroup.run(organizationId, dayStart, reportId, member, reportName, messages, credits)
  }
  database.exec('COMMIT')
  return totals
}

/** Fills a database that has been migrated to version 1. */
export const writeOldPostgres = async (client: pg.ClientBase, records: Iterable<OldRecord>): Promise<OldTotals> => {
  const insert = (table: string, rows: readonly object[]) =>
    client.query(`INSERT INTO ${table} SELECT * FROM json_populate_recordset(NULL::${table}, $1)`, [
      JSON.stringify(rows, (_, value) => (typeof value === 'bigint' ? Number(value) : value)),
    ])
  await client.query('DELETE FROM billing_calendar')
  await insert(
    'organization',
    OLD_ORGANIZATIONS.filter(({ id }) => id !== 'default').map(({ id }) => ({
      organization_id: id,
      name: `The ${id}`,
      created_at: 1,
    })),
  )
  await insert(
    'billing_calendar',
    OLD_ORGANIZATIONS.flatMap(({ id, calendar }) =>
      calendar.map(({ effectiveFrom, timeZone, anchorDay }) => ({
        organization_id: id,
        effective_from: effectiveFrom,
        time_zone: timeZone,
        anchor_day: anchorDay,
      })),
    ),
  )
  await insert(
    'rate_card',
    OLD_RATE_CARDS.map((version, index) => ({ rate_card_id: index + 1, version })),
  )
  await insert('report', [{ report_id: '7', name: 'Tenant obligations', credit_cost_micros: 5_000_000 }])
  await insert('api_key', [
    {
      organization_id: 'acme',
      key_hash: `\\x${'00'.repeat(32)}`,
      key_id: 'key-1',
      name: 'first',
      scopes: 'usage:read',
      created_at: 5,
    },
  ])
  await insert('installation', [{ name: 'content_key', value: OLD_CONTENT_KEY }])
  const totals = new OldTotals()
  let rows: object[] = []
  for (const record of records) {
    totals.add(record)
    const { messageId } = record
    rows.push({
      organization_id: record.organizationId,
      message_number: typeof messageId === 'number' ? messageId : 2 ** 53,
      message_name: typeof messageId === 'number' ? '' : messageId,
      revision: record.revision,
      at_ms: record.at,
      day_start: record.dayStart,
      credits_micros: record.credits,
      recorded_at: record.recordedAt,
      superseded_by: record.supersededBy,
      rate_card_id: record.rateCardId,
      timestamp: record.timestamp,
      member: record.member,
      report_id: record.reportId,
      report_name: record.reportName,
      measurement: `\\x${Buffer.from(record.measurement).toString('hex')}`,
      digest: `\\x${Buffer.from(record.digest).toString('hex')}`,
    })
    if (rows.length === 10_000) {
      await insert('usage_record', rows)
      rows = []
    }
  }
  await insert('usage_record', rows)
  await insert(
    'daily_total',
    [...totals.days].map(([key, { messages, credits, version }]) => {
      const [organizationId, dayStart] = JSON.parse(key)
      return { organization_id: organizationId, day_start: dayStart, messages, credits_micros: credits, version }
    }),
  )
  await insert(
    'daily_group_total',
    [...totals.groups].map(([key, { messages, credits, reportName }]) => {
      const [organizationId, dayStart, reportId, member] = JSON.parse(key)
      return {
        organization_id: organizationId,
        day_start: dayStart,
        report_id: reportId,
        member,
        report_name: reportName,
        messages,
        credits_micros: credits,
      }
    }),
  )
  return totals
}

/** Compares everything that the port shows with what the old tables held. */
export const assertMigrated = async (
  ledger: Ledger,
  records: readonly OldRecord[],
  totals: OldTotals,
): Promise<void> => {
  const ids = (await ledger.organizations.list({ limit: 10 })).map(({ id }) => id)
  assert.deepEqual(ids, OLD_ORGANIZATIONS.map(({ id }) => id).sort(compareIds))
  for (const { id, calendar } of OLD_ORGANIZATIONS) {
    assert.deepEqual((await ledger.organizations.find(id))?.calendar, calendar)
    const own = records.filter(({ organizationId }) => organizationId === id)
    await ledger.read(id, async (view) => {
      await assertLines(view, own)
      await assertCharges(view, own)
      await assertTotals(view, own, calendar)
      const days = [...totals.days].filter(([key]) => JSON.parse(key)[0] === id)
      for (const [key, { version }] of days) {
        const from = JSON.parse(key)[1] as number
        assert.ok((await view.version({ from, to: from + 1 })) >= version, `the version of ${key} has fallen`)
      }
    })
  }
  assert.deepEqual(await ledger.reports.find(7), { id: 7, name: 'Tenant obligations', creditCost: 5_000_000 })
  assert.equal((await ledger.keys.list('acme'))[0]?.id, 'key-1')
  assert.equal(await ledger.contentKey(), OLD_CONTENT_KEY)
  assert.equal(await ledger.isEmpty(), records.length === 0)
}

const ALL = { from: -8e15, to: 8e15 }

const counts = ({ supersededBy }: OldRecord): boolean => supersededBy === null

const lineOf = (record: OldRecord) => ({
  messageId: record.messageId,
  at: record.at,
  timestamp: record.timestamp ?? canonicalTimestamp(record.at),
  credits: record.credits,
  cell: {
    ...(record.member !== null && { member: record.member }),
    ...(record.reportId !== null && { reportId: parseId(record.reportId), reportName: record.reportName }),
    rateCard: OLD_RATE_CARDS[record.rateCardId - 1],
  },
})

const assertLines = async (view: LedgerView, own: readonly OldRecord[]): Promise<void> => {
  const expected = own
    .filter(counts)
    .sort((one, other) => one.at - other.at || compareMessageIds(one.messageId, other.messageId))
  const lines = await view.page({ ...ALL, limit: own.length + 1 })
  assert.equal(lines.length, expected.length)
  lines.forEach((line, index) => {
    assert.deepEqual(line, lineOf(expected[index] as OldRecord))
  })
}

/** Integers come before texts. */
const compareMessageIds = (one: Id, other: Id): number => {
  if (typeof one === 'number' && typeof other === 'number') return one - other
  if (typeof one === 'string' && typeof other === 'string') return compareIds(one, other)
  return typeof one === 'number' ? -1 : 1
}

const assertCharges = async (view: LedgerView, own: readonly OldRecord[]): Promise<void> => {
  for (const [messageId, revisions] of Map.groupBy(own, (record) => record.messageId)) {
    const expected = revisions
      .map((record) => ({
        ...lineOf(record),
        revision: record.revision,
        recordedAt: record.recordedAt,
        facts: record.measurement,
        digest: record.digest,
        ...(record.supersededBy !== null && { supersededBy: record.supersededBy }),
      }))
      .reverse()
    assert.deepEqual(await view.charges(messageId), expected)
  }
}

const assertTotals = async (view: LedgerView, own: readonly OldRecord[], calendar: BillingCalendar): Promise<void> => {
  const counted = own.filter(counts)
  const groups = [[], ['report'], ['member'], ['report', 'member']] as const
  for (const group of groups) {
    const keyOf = (reportId: Id | null | undefined, member: string | null | undefined): readonly unknown[] => [
      group.some((each) => each === 'report') ? String(reportId ?? '') : '',
      group.some((each) => each === 'member') ? (member ?? '') : '',
    ]
    const sums = (of: readonly OldRecord[], startOf: (record: OldRecord) => number) =>
      [...Map.groupBy(of, (record) => JSON.stringify([startOf(record), ...keyOf(record.reportId, record.member)]))]
        .map(([key, records]) => ({
          key,
          messages: records.length,
          credits: records.reduce((sum, each) => sum + BigInt(each.credits), 0n),
        }))
        .sort(byKey)
    const shown = (found: readonly GroupTotal[], startOf: (total: GroupTotal) => number) =>
      found
        .map(({ reportId, member, messages, credits }, index) => ({
          key: JSON.stringify([startOf(found[index] as GroupTotal), ...keyOf(reportId, member)]),
          messages,
          credits: BigInt(credits),
        }))
        .sort(byKey)
    const days = await view.dayTotals({ ...ALL, group })
    assert.deepEqual(
      shown(days, (total) => (total as DayTotal).dayStart),
      sums(counted, ({ dayStart }) => dayStart),
    )
    // Whole periods are answered from their own totals.
    const periods = new Set(counted.map(({ dayStart }) => periodAt(calendar, dayStart).start))
    for (const start of periods) {
      const period = periodAt(calendar, start)
      const totals = await view.totals({ from: period.start, to: period.end, group })
      const within = counted.filter(({ dayStart }) => dayStart >= period.start && dayStart < period.end)
      assert.deepEqual(
        shown(totals, () => 0),
        sums(within, () => 0),
      )
    }
  }
}

const byKey = (one: { readonly key: string }, other: { readonly key: string }): number => compareIds(one.key, other.key)

/** Compares the charges of a migrated file with those of the old one, one by one. */
export const differingCharges = (path: string, old: string): number => {
  using database = new DatabaseSync(path)
  database.prepare('ATTACH ? AS old').run(old)
  const columns = (
    rateCard: string,
    facts: string,
  ) => `organization_id, message_id, revision, at_ms, credits_micros, ${facts} AS facts, digest,
    recorded_at, timestamp, superseded_by, coalesce(report_id, '') AS report_id, coalesce(report_name, '') AS report_name,
    coalesce(member, '') AS member, ${rateCard} AS rate_card`
  const inOrder = 'ORDER BY organization_id, message_id, revision'
  const before = database
    .prepare(
      `SELECT ${columns('version', 'measurement')} FROM old.usage_record JOIN old.rate_card USING (rate_card_id) ${inOrder}`,
    )
    .iterate()
  const after = database
    .prepare(
      `SELECT ${columns('rate_card', 'facts')} FROM main.record JOIN main.cell USING (organization_id, cell_id) ${inOrder}`,
    )
    .iterate()
  let differing = 0
  for (const row of before) if (!isDeepStrictEqual(after.next().value, row)) differing++
  return after.next().done === true ? differing : differing + 1
}
