/** Reads usage on one connection. The caller begins a transaction, which fixes the moment that is read. */
import type { DatabaseSync, StatementSync } from 'node:sqlite'
import type {
  DayTotal,
  DayTotalsQuery,
  GroupField,
  PageQuery,
  Range,
  RangeTotal,
  RangeTotalsQuery,
} from '#ledger/ledger.ts'
import type { Id } from '#model/report.ts'
import type { RecordedLine, StoredCharge } from '#model/usage-record.ts'
import { type Row, toDayTotal, toLine, toRangeTotal, toStoredCharge } from './rows.ts'

/** The result of one piece of a query, and the query for the rest, if any is left. */
export type Part<T, Query> = { readonly found: readonly T[]; readonly rest?: Query }

/** `days` are the days still to search, once they are known. */
export type PageRest = PageQuery & { readonly days?: readonly Range[] }
/** `range` is the range to continue with, from `start` on. A range that is read in two pieces has totals from both. */
export type RangeTotalsRest = RangeTotalsQuery & { readonly range?: number; readonly start?: number }

/** node:sqlite cannot interrupt a statement, so queries run in pieces. Between them, other reads get a turn, or the caller leaves. */
const PIECE_MS = 10
/** How many records one statement may scan. */
const PIECE_ROWS = 4000
const PIECE_LINES = 2000

export class UsageReader {
  readonly #database: DatabaseSync
  readonly #statements = new Map<string, StatementSync>()
  readonly #rateCards = new Map<number, string>()

  constructor(database: DatabaseSync) {
    this.#database = database
  }

  page(organizationId: string, query: PageRest): Part<RecordedLine, PageRest> {
    const { member, reportId, limit } = query
    if (member !== undefined || reportId !== undefined) return this.#filteredPage(organizationId, query)
    const found = this.#pageOf(organizationId, { ...query, limit: Math.min(limit, PIECE_LINES) })
    const after = found.at(-1)
    if (found.length < PIECE_LINES || after === undefined || limit === found.length) return { found }
    return { found, rest: { ...query, after, limit: limit - found.length } }
  }

  #filteredPage(organizationId: string, query: PageRest): Part<RecordedLine, PageRest> {
    const { limit, after } = query
    const endsAt = performance.now() + PIECE_MS
    const found: RecordedLine[] = []
    const days = [...(query.days ?? this.#daysOf(organizationId, query))]
    for (let day = days.shift(); day !== undefined && found.length < limit; day = days.shift()) {
      const cut = this.#cut(organizationId, day)
      if (cut < day.to) days.unshift({ from: cut, to: day.to })
      if (after !== undefined && after.at >= cut) continue
      found.push(...this.#pageOf(organizationId, { ...query, from: day.from, to: cut, limit: limit - found.length }))
      const isLeft = days.length > 0 && found.length < limit
      if (isLeft && performance.now() > endsAt) return { found, rest: { ...query, days, limit: limit - found.length } }
    }
    return { found }
  }

  /** Where a piece of a range ends: after `PIECE_ROWS` records, but never between two records of the same instant. */
  #cut(organizationId: string, { from, to }: Range): number {
    const row = this.#prepare(`
      SELECT at_ms FROM usage_record WHERE organization_id = ? AND at_ms >= ? AND at_ms < ?
      ORDER BY at_ms LIMIT 1 OFFSET ${PIECE_ROWS}`).get(organizationId, from, to)
    const at = row?.['at_ms']
    return typeof at === 'number' ? Math.max(at, from + 1) : to
  }

  #daysOf(organizationId: string, { from, to, member, reportId, after }: PageQuery): readonly Range[] {
    // The totals show on which days this member or report has messages. Only those days are searched.
    const days = this.#prepare(`
      SELECT day_start, coalesce((SELECT min(day_start) FROM daily_total AS later
        WHERE later.organization_id = of.organization_id AND later.day_start > of.day_start), ${'9e15'}) AS day_end
      FROM daily_group_total AS of
      WHERE organization_id = ?1 AND day_start < ?2
        AND day_start >= coalesce((SELECT max(day_start) FROM daily_total WHERE organization_id = ?1 AND day_start <= ?3), ?3)
        AND (?4 IS NULL OR report_id = ?4) AND (?5 IS NULL OR member = ?5)
      GROUP BY day_start ORDER BY day_start`).all(
      organizationId,
      to,
      Math.max(from, after?.at ?? from),
      reportId === undefined ? null : String(reportId),
      member ?? null,
    )
    return days.map((day) => ({
      from: Math.max(from, after?.at ?? from, day['day_start'] as number),
      to: Math.min(to, day['day_end'] as number),
    }))
  }

  #pageOf(organizationId: string, { from, to, member, reportId, after, limit }: PageQuery): readonly RecordedLine[] {
    const isAfter = after !== undefined && after.at >= from
    return this.#prepare(`
      SELECT message_id, at_ms, timestamp, member, report_id, report_name, credits_micros, rate_card_id
      FROM usage_record
      WHERE organization_id = ? AND at_ms < ? AND superseded_by IS NULL
        AND ${isAfter ? '(at_ms, message_id) > (?, ?)' : 'at_ms >= ?'}
        ${member === undefined ? '' : 'AND member = ?'} ${reportId === undefined ? '' : 'AND report_id = ?'}
      ORDER BY at_ms, message_id LIMIT ?`)
      .all(
        organizationId,
        to,
        ...(isAfter ? [after.at, toSqlId(after.messageId)] : [from]),
        ...(member === undefined ? [] : [member]),
        ...(reportId === undefined ? [] : [String(reportId)]),
        limit,
      )
      .map((row) => toLine(this.#withRateCard(row)))
  }

  charges(organizationId: string, messageId: Id): readonly StoredCharge[] {
    return this.#prepare(`
      SELECT message_id, at_ms, timestamp, member, report_id, report_name, credits_micros, rate_card_id, measurement, digest,
        revision, recorded_at, superseded_by
      FROM usage_record WHERE organization_id = ? AND message_id = ? ORDER BY revision DESC`)
      .all(organizationId, toSqlId(messageId))
      .map((row) => toStoredCharge(this.#withRateCard(row)))
  }

  dayTotals(organizationId: string, query: DayTotalsQuery): Part<DayTotal, DayTotalsQuery> {
    const { to, group } = query
    if (group.length === 0) return { found: this.#dayTotalsOf(organizationId, query) }
    const endsAt = performance.now() + PIECE_MS
    const found: DayTotal[] = []
    for (let from = query.from; from < to; ) {
      const row = this.#prepare(`
        SELECT day_start FROM daily_group_total WHERE organization_id = ? AND day_start >= ? AND day_start < ?
        ORDER BY day_start LIMIT 1 OFFSET ${PIECE_ROWS}`).get(organizationId, from, to)
      const cut = typeof row?.['day_start'] === 'number' ? Math.max(row['day_start'], from + 1) : to
      for (const total of this.#dayTotalsOf(organizationId, { from, to: cut, group })) found.push(total)
      from = cut
      if (from < to && performance.now() > endsAt) return { found, rest: { ...query, from } }
    }
    return { found }
  }

  #dayTotalsOf(organizationId: string, { from, to, group }: DayTotalsQuery): readonly DayTotal[] {
    const sql =
      group.length === 0
        ? `SELECT day_start, messages, credits_micros FROM daily_total
           WHERE organization_id = ? AND day_start >= ? AND day_start < ? AND messages > 0 ORDER BY day_start`
        : `SELECT day_start, ${columnsOf(group)}, sum(messages) AS messages, sum(credits_micros) AS credits_micros
           FROM daily_group_total WHERE organization_id = ? AND day_start >= ? AND day_start < ?
           GROUP BY day_start, ${keysOf(group)} HAVING sum(messages) > 0 ORDER BY day_start, ${keysOf(group)}`
    return this.#prepare(sql, { bigints: true }).all(organizationId, from, to).map(toDayTotal)
  }

  rangeTotals(organizationId: string, query: RangeTotalsRest): Part<RangeTotal, RangeTotalsRest> {
    const { ranges, group } = query
    const endsAt = performance.now() + PIECE_MS
    const keys = group.map((field) => `coalesce(${KEYS[field]}, '')`).join(', ')
    const sum = this.#prepare(
      `SELECT ${group.length === 0 ? '' : `${columnsOf(group)}, `}
         count(*) AS messages, sum(credits_micros) AS credits_micros
       FROM usage_record WHERE organization_id = ? AND at_ms >= ? AND at_ms < ? AND superseded_by IS NULL
       ${group.length === 0 ? '' : `GROUP BY ${keys}`} HAVING count(*) > 0 ${group.length === 0 ? '' : `ORDER BY ${keys}`}`,
      { bigints: true },
    )
    const found: RangeTotal[] = []
    for (let range = query.range ?? 0; range < ranges.length; range++) {
      const { from, to } = ranges[range] ?? { from: 0, to: 0 }
      for (let start = range === query.range ? (query.start ?? from) : from; start < to; ) {
        if (performance.now() > endsAt) return { found, rest: { ...query, range, start } }
        const cut = this.#cut(organizationId, { from: start, to })
        for (const row of sum.all(organizationId, start, cut)) found.push(toRangeTotal(row, range))
        start = cut
      }
    }
    return { found }
  }

  version(organizationId: string, { from, to }: Range): number {
    const row = this.#prepare(
      'SELECT sum(version) AS version FROM daily_total WHERE organization_id = ? AND day_start >= ? AND day_start < ?',
    ).get(organizationId, from, to)
    return Number(row?.['version'] ?? 0)
  }

  span(organizationId: string): { readonly first: number; readonly last: number } | undefined {
    const row = this.#prepare(
      'SELECT min(day_start) AS first, max(day_start) AS last FROM daily_total WHERE organization_id = ? AND messages > 0',
    ).get(organizationId)
    const first = row?.['first']
    return typeof first === 'number' ? { first, last: row?.['last'] as number } : undefined
  }

  #withRateCard(row: Row): Row {
    const id = row['rate_card_id'] as number
    let version = this.#rateCards.get(id)
    if (version === undefined) {
      version = this.#prepare('SELECT version FROM rate_card WHERE rate_card_id = ?').get(id)?.['version'] as string
      this.#rateCards.set(id, version)
    }
    row['rate_card'] = version
    return row
  }

  #prepare(sql: string, { bigints = false } = {}): StatementSync {
    let statement = this.#statements.get(sql)
    if (statement === undefined) {
      statement = this.#database.prepare(sql)
      statement.setReadBigInts(bigints)
      this.#statements.set(sql, statement)
    }
    return statement
  }
}

const toSqlId = (id: Id): bigint | string => (typeof id === 'number' ? BigInt(id) : id)

const KEYS = { report: 'report_id', member: 'member' } as const satisfies Record<GroupField, string>

const keysOf = (group: readonly GroupField[]): string => group.map((field) => KEYS[field]).join(', ')

const columnsOf = (group: readonly GroupField[]): string =>
  `${keysOf(group)}${group.includes('report') ? ', max(report_name) AS report_name' : ''}`
