/** Reads usage on one connection. The caller begins a transaction, which fixes the moment that is read. */
import type { DatabaseSync, SQLInputValue, StatementSync } from 'node:sqlite'
import { KeptCells, KeptChargesBuilder, type KeptColumns } from '#ledger/kept-charges.ts'
import type {
  GroupedCells,
  GroupedRange,
  KeptQuery,
  PageQuery,
  PricedOtherwise,
  Range,
  RangeTotalsQuery,
} from '#ledger/ledger.ts'
import { type Cell, type CellFilter, filterTexts, isFilter } from '#model/cell.ts'
import type { ChargeFilter } from '#model/charge-filter.ts'
import { compareLines, type LineOrder, type PagePosition, TIME_ORDER } from '#model/line-order.ts'
import { CALENDAR_BEGINS, type EpochMs } from '#model/organization.ts'
import type { Id } from '#model/report.ts'
import type { RecordedLine, StoredCharge } from '#model/usage-record.ts'
import { isOther, type Limited, namesIn, namesOfGroups, OTHER, otherColumn, reportedCell } from '../shared/others.ts'
import { columnOf, groupColumns, type NamedTotal, toLine, toNamedTotal, toStoredCharge } from '../shared/rows.ts'
import type { Row } from '../shared/steps.ts'
import type { DayPart, RangePart } from '../shared/totals.ts'
import { Cells } from './cells.ts'
import { FIND_NAMES, NAMES_OF_RECORD } from './other-names.ts'

/** The result of one piece of a query, and the query for the rest, if any is left. */
export type Part<T, Query> = { readonly found: readonly T[]; readonly rest?: Query }

/** `days` are the days still to search, once they are known; `run` that of a page in another order than time. */
export type PageRest = PageQuery & { readonly days?: readonly Days[]; readonly run?: number }
/** Days that follow each other, and about how many records they have. */
type Days = Range & { readonly messages: number }
/** `range` is the range to continue with, from `start` on. A range that is read in two pieces has totals from both. */
export type RangeTotalsRest = RangeTotalsQuery & { readonly range?: number; readonly start?: number }
/** Totals still to add up: of periods, then of days. `afterCell` is the last cell of the first that was added. */
export type TotalsRest = GroupedRange & {
  readonly left?: readonly { readonly of: 'period' | 'day'; readonly start: EpochMs }[]
  readonly afterCell?: number
}
/** The records that are left, by each of the names. */
export type OtherTotalsRest = GroupedRange & {
  readonly left?: readonly (Range & { readonly by: Limited; readonly name: string })[]
}
/** The records of the first day that are left, and the last total that was added. */
export type PricedOtherwiseRest = PricedOtherwise & {
  readonly records?: readonly Range[]
  readonly after?: { readonly day: EpochMs; readonly cellId: number }
}

/** node:sqlite cannot interrupt a statement, so queries run in pieces. Between them, other reads get a turn, or the caller leaves. */
const PIECE_MS = 10
/** How many records one statement may scan. */
const PIECE_ROWS = 4000
const PIECE_LINES = 2000
/** How many records one statement may scan if nearly all of them are passed over, which takes about 0.15 µs each. */
const PIECE_PASSED = 40_000

export class UsageReader {
  readonly #database: DatabaseSync
  readonly #cells: Cells
  readonly #statements = new Map<string, StatementSync>()
  /** The first lines so far of each page in another order than time. Sending them along at every turn would take longer than finding them. */
  readonly #best = new Map<number, readonly RecordedLine[]>()
  #runs = 0

  constructor(database: DatabaseSync) {
    this.#database = database
    this.#cells = new Cells(database)
  }

  page(organizationId: string, query: PageRest): Part<RecordedLine, PageRest> {
    const { limit, order = TIME_ORDER } = query
    if (order.by !== 'time') return this.#orderedPage(organizationId, query)
    if (isSearch(query)) return this.#filteredPage(organizationId, query)
    const found = this.#pageOf(organizationId, { ...query, limit: Math.min(limit, PIECE_LINES) })
    const after = found.at(-1)
    if (found.length < PIECE_LINES || after === undefined || limit === found.length) return { found }
    return { found, rest: { ...query, after, limit: limit - found.length } }
  }

  #filteredPage(organizationId: string, query: PageRest): Part<RecordedLine, PageRest> {
    const { limit, order = TIME_ORDER } = query
    const endsAt = performance.now() + PIECE_MS
    const found: RecordedLine[] = []
    const days = [...(query.days ?? this.#daysOf(organizationId, query))]
    for (let day = days.shift(); day !== undefined && found.length < limit; day = days.shift()) {
      const [piece, rest] = this.#split(organizationId, day, order.isDescending)
      if (rest !== undefined) days.unshift({ ...day, ...rest })
      found.push(...this.#pageOf(organizationId, { ...query, ...piece, limit: limit - found.length }))
      const isLeft = days.length > 0 && found.length < limit
      if (isLeft && performance.now() > endsAt) return { found, rest: { ...query, days, limit: limit - found.length } }
    }
    return { found }
  }

  /** Drops what unfinished pages have found. */
  forget(): void {
    this.#best.clear()
  }

  /**
   * Looks at every record, because no index has the order, and keeps the first `limit`. Once there are that many, the database passes
   * over whatever comes after the last of them. Finds nothing before the last piece.
   */
  #orderedPage(organizationId: string, query: PageRest): Part<RecordedLine, PageRest> {
    const { limit, order = TIME_ORDER, run = ++this.#runs } = query
    const endsAt = performance.now() + PIECE_MS
    const compare = compareLines(order)
    // Newer messages usually have greater ids, so this finds the greatest early.
    const fromEnd = order.by === 'id' && order.isDescending
    const days = [...(query.days ?? joined(this.#daysOf(organizationId, query), fromEnd))]
    let best = query.run === undefined ? [] : this.#best.get(run)
    this.#best.delete(run)
    if (best === undefined) throw new Error('a page was continued after its reading had ended')
    for (let piece = days.shift(); piece !== undefined; piece = days.shift()) {
      if (piece.messages > PIECE_PASSED) {
        const [first, rest] = this.#split(organizationId, piece, fromEnd, ALL_RECORDS, PIECE_PASSED)
        if (rest !== undefined) days.unshift({ ...rest, messages: piece.messages - PIECE_PASSED })
        piece = { ...first, messages: PIECE_PASSED }
      }
      const worst = best.length < limit ? undefined : best.at(-1)
      if (worst !== undefined && !this.#mayComeBefore(organizationId, order, worst)) break
      const found = this.#pageOf(organizationId, { ...query, from: piece.from, to: piece.to }, worst)
      if (found.length > 0) best = [...best, ...found].sort(compare).slice(0, limit)
      if (days.length > 0 && performance.now() > endsAt) {
        this.#best.set(run, best)
        return { found: [], rest: { ...query, days, run } }
      }
    }
    return { found: best }
  }

  /** False if no line can come before a position, apart from those found already. */
  #mayComeBefore(organizationId: string, order: LineOrder, position: PagePosition): boolean {
    const { ofCells } = orderOf(order)
    if (ofCells === undefined) return true
    const before = ofCells.before(position)
    return (
      this.#prepare(`SELECT 1 FROM cell WHERE organization_id = ? ${before.sql} LIMIT 1`).get(
        organizationId,
        ...before.values,
      ) !== undefined
    )
  }

  /** The first records of a range, or the last, as many as `rows`, and what is left. Records of the same instant stay together. */
  #split(
    organizationId: string,
    { from, to }: Range,
    fromEnd: boolean,
    { table, sql, values }: Condition & { readonly table: 'record' | 'other_name' } = ALL_RECORDS,
    rows = PIECE_ROWS,
  ): readonly [Range, Range | undefined] {
    const row = this.#prepare(`
      SELECT at_ms FROM ${table} WHERE organization_id = ? AND at_ms >= ? AND at_ms < ? ${sql}
      ORDER BY at_ms ${fromEnd ? 'DESC' : ''} LIMIT 1 OFFSET ${rows}`).get(organizationId, from, to, ...values)
    const at = row?.['at_ms']
    if (typeof at !== 'number') return [{ from, to }, undefined]
    const cut = fromEnd ? Math.min(at + 1, to - 1) : Math.max(at, from + 1)
    const [first, last] = [
      { from, to: cut },
      { from: cut, to },
    ]
    return fromEnd ? [last, first] : [first, last]
  }

  /** The totals show on which days the cells that are meant have messages. Only those days are searched. */
  #daysOf(organizationId: string, query: PageQuery): readonly Days[] {
    const { from, to, order = TIME_ORDER } = query
    const cells = cellsOf('cell_id', organizationId, conditionsOf(query))
    const names = namesIn(query)
    const days = this.#prepare(`
      SELECT day_start, messages, coalesce(lead, 9e15) AS day_end FROM (
        SELECT day_start, messages, lead(day_start) OVER (ORDER BY day_start) AS lead FROM day WHERE organization_id = ?1
      ) AS days
      WHERE day_start < ?3 AND coalesce(lead, 9e15) > ?2 AND (EXISTS (
        SELECT 1 FROM day_cell
        WHERE day_cell.organization_id = ?1 AND day_cell.day_start = days.day_start ${cells.sql}
          ${query.unpriced ? 'AND unpriced > 0' : ''})
        ${names
          .map(
            ([dimension]) => `OR EXISTS (
          SELECT 1 FROM other_name WHERE organization_id = ?1 AND ${otherColumn(dimension)} = ?
            AND at_ms >= days.day_start AND at_ms < coalesce(lead, 9e15))`,
          )
          .join(' ')})
      ORDER BY day_start ${order.by === 'time' && order.isDescending ? 'DESC' : ''}`).all(
      organizationId,
      from,
      to,
      ...cells.values,
      ...names.map(([, name]) => name),
    )
    return days.map((day) => ({
      from: Math.max(from, day['day_start'] as number),
      to: Math.min(to, day['day_end'] as number),
      messages: day['messages'] as number,
    }))
  }

  /** With `worst`, only lines that come before it. Of those that equal it by the order, it is the first: days are read in order of time. */
  #pageOf(organizationId: string, query: PageQuery, worst?: PagePosition): readonly RecordedLine[] {
    const { from, to, after, limit, order = TIME_ORDER } = query
    const [possible, reported] = [possibleCellsOf(query), reportedNamesOf(organizationId, query)]
    const cells = cellsOf('record.cell_id', organizationId, possible)
    const { ofCells, sorted, isBefore, isAfter, valuesOf } = orderOf(order)
    const before = worst === undefined ? NO_CONDITION : isBefore(organizationId, worst)
    const least = amountsOf(query)
    const isPassed = after !== undefined && (order.isDescending ? after.at < from : after.at >= to)
    if (order.by === 'time' && isPassed) return []
    // The index is entered at the position, not at the start of the range: a page is as fast as the one before.
    const entersAt = order.by === 'time' && after !== undefined && after.at >= from && after.at < to
    const isBeyond = order.by === 'time' && !entersAt ? undefined : after
    const bounds = [
      ...(entersAt && !order.isDescending ? [] : ['at_ms >= ?']),
      ...(entersAt && order.isDescending ? [] : ['at_ms < ?']),
      ...(isBeyond === undefined ? [] : [isAfter]),
    ]
    const rows = this.#prepare(`
      SELECT message_id, revision, at_ms, own_at_ms, timestamp, record.cell_id, credits_micros,
        CASE WHEN credits_micros IS NULL THEN facts END AS facts
      FROM record
      ${ofCells !== undefined ? 'JOIN cell ON cell.organization_id = record.organization_id AND cell.cell_id = record.cell_id' : ''}
      WHERE record.organization_id = ? AND superseded_by IS NULL AND ${bounds.join(' AND ')}
        ${query.unpriced ? 'AND credits_micros IS NULL' : ''} ${least.sql}
        ${before.sql} ${cells.sql} ${reported.sql}
      ORDER BY ${sorted} LIMIT ?`).all(
      organizationId,
      ...(entersAt && !order.isDescending ? [] : [from]),
      ...(entersAt && order.isDescending ? [] : [to]),
      ...(isBeyond === undefined ? [] : valuesOf(organizationId, isBeyond)),
      ...least.values,
      ...before.values,
      ...cells.values,
      ...reported.values,
      limit,
    )
    return rows.map((row) => toLine(row, this.#cellOf(organizationId, row), messageIdOf))
  }

  charges(organizationId: string, messageId: Id): readonly StoredCharge[] {
    return this.#prepare(`
      SELECT message_id, at_ms, own_at_ms, timestamp, cell_id, credits_micros, facts, digest, revision, recorded_at,
        superseded_by
      FROM record WHERE organization_id = ? AND message_id = ? ORDER BY revision DESC`)
      .all(organizationId, toSqlId(messageId))
      .map((row) => toStoredCharge(row, this.#cellOf(organizationId, row), messageIdOf))
  }

  /** The cell of a record as it was reported. */
  #cellOf(organizationId: string, row: Row): Cell {
    const cell = this.#cells.cellOf(organizationId, row['cell_id'] as number)
    if (!isOther(cell)) return cell
    const [at, revision] = [row['at_ms'] as EpochMs, row['revision'] as number]
    const names = this.#prepare(FIND_NAMES).get(organizationId, at, toSqlId(messageIdOf(row)), revision)
    return names === undefined ? cell : reportedCell(names, cell)
  }

  dayTotals(organizationId: string, query: GroupedRange): Part<DayPart, GroupedRange> {
    const { to } = query
    if (isOfAll(query)) return { found: this.#dayTotalsOf(organizationId, query) }
    const endsAt = performance.now() + PIECE_MS
    const found: DayPart[] = []
    for (let from = query.from; from < to; ) {
      const row = this.#prepare(`
        SELECT day_start FROM day_cell WHERE organization_id = ? AND day_start >= ? AND day_start < ?
        ORDER BY day_start LIMIT 1 OFFSET ${PIECE_ROWS}`).get(organizationId, from, to)
      const cut = typeof row?.['day_start'] === 'number' ? Math.max(row['day_start'], from + 1) : to
      for (const total of this.#dayTotalsOf(organizationId, { ...query, from, to: cut })) found.push(total)
      from = cut
      if (from < to && performance.now() > endsAt) return { found, rest: { ...query, from } }
    }
    return { found }
  }

  #dayTotalsOf(organizationId: string, query: GroupedRange): readonly DayPart[] {
    const { from, to, group } = query
    const columns = ['day_start', ...groupColumns(group)].join(', ')
    const meant = conditionsOf(query)
    const sql = isOfAll(query)
      ? `SELECT day_start, messages, unpriced, credits_micros, day_start AS latest FROM day
           WHERE organization_id = ? AND day_start >= ? AND day_start < ? AND messages > 0 ORDER BY day_start`
      : `SELECT ${columns}, ${SUMS}, day_start AS latest
           FROM day_cell JOIN cell USING (organization_id, cell_id)
           WHERE organization_id = ? AND day_start >= ? AND day_start < ? ${meant.sql}
           GROUP BY ${columns} HAVING sum(messages) > 0 ORDER BY ${columns}`
    return this.#prepare(sql, { bigints: true })
      .all(organizationId, from, to, ...meant.values)
      .map((row) => ({ dayStart: Number(row['day_start']), ...toNamedTotal(row) }))
  }

  totals(organizationId: string, query: TotalsRest): Part<NamedTotal, TotalsRest> {
    const { from, to, group } = query
    if (isOfAll(query)) {
      const sum = this.#prepare(
        `SELECT ${SUMS} FROM day
         WHERE organization_id = ? AND day_start >= ? AND day_start < ? HAVING sum(messages) > 0`,
        { bigints: true },
      )
      return { found: sum.all(organizationId, from, to).map(toNamedTotal) }
    }
    const endsAt = performance.now() + PIECE_MS
    const left = [...(query.left ?? this.#partsOf(organizationId, query))]
    let afterCell = query.afterCell ?? -1
    const meant = conditionsOf(query)
    const found: NamedTotal[] = []
    for (let part = left[0]; part !== undefined; part = left[0]) {
      const last = this.#prepare(`
        SELECT cell_id FROM ${part.of}_cell WHERE organization_id = ? AND ${part.of}_start = ? AND cell_id > ?
        ORDER BY cell_id LIMIT 1 OFFSET ${PIECE_ROWS}`).get(organizationId, part.start, afterCell)
      const upTo = typeof last?.['cell_id'] === 'number' ? last['cell_id'] : Number.MAX_SAFE_INTEGER
      const rows = this.#prepare(
        `SELECT ${[...groupColumns(group), SUMS].join(', ')}
         FROM ${part.of}_cell JOIN cell USING (organization_id, cell_id)
         WHERE organization_id = ? AND ${part.of}_start = ? AND cell_id > ? AND cell_id <= ? ${meant.sql}
         ${groupedBy(groupColumns(group))} HAVING sum(messages) > 0`,
        { bigints: true },
      ).all(organizationId, part.start, afterCell, upTo, ...meant.values)
      for (const row of rows) found.push({ ...toNamedTotal(row), latest: part.start })
      if (upTo === Number.MAX_SAFE_INTEGER) {
        left.shift()
        afterCell = -1
      } else afterCell = upTo
      if (left.length > 0 && performance.now() > endsAt) return { found, rest: { ...query, left, afterCell } }
    }
    return { found }
  }

  /**
   * The periods that lie wholly within a range, and the days that belong to none of them. A period in which a report was renamed
   * is read by its days, which tell the latest name.
   */
  #partsOf(
    organizationId: string,
    { from, to, group }: GroupedRange,
  ): readonly { readonly of: 'period' | 'day'; readonly start: EpochMs }[] {
    const days = this.#prepare(`
      SELECT day_start, period_start, min(day_start) OVER (PARTITION BY period_start) AS first,
        max(day_start) OVER (PARTITION BY period_start) AS last
      FROM day WHERE organization_id = ? ORDER BY day_start`).all(organizationId)
    const within = days.filter((day) => (day['day_start'] as number) >= from && (day['day_start'] as number) < to)
    const renamed = group.includes('report') ? this.#periodsOfRenamedReports(organizationId) : NO_PERIODS
    const isWhole = (day: Row): boolean =>
      (day['first'] as number) >= from && (day['last'] as number) < to && !renamed.has(day['period_start'] as EpochMs)
    const periods = new Set(within.filter(isWhole).map((day) => day['period_start'] as EpochMs))
    return [
      ...[...periods].map((start) => ({ of: 'period', start }) as const),
      ...within
        .filter((day) => !isWhole(day))
        .map((day) => ({ of: 'day', start: day['day_start'] as EpochMs }) as const),
    ]
  }

  #periodsOfRenamedReports(organizationId: string): ReadonlySet<EpochMs> {
    const rows = this.#prepare(`
      WITH renamed AS (
        SELECT report_id FROM cell WHERE organization_id = ?1 AND report_id <> ''
        GROUP BY report_id HAVING min(report_name) < max(report_name))
      SELECT DISTINCT periods.period_start FROM renamed CROSS JOIN cell USING (report_id)
        CROSS JOIN (SELECT DISTINCT period_start FROM day WHERE organization_id = ?1) AS periods
        JOIN period_cell ON period_cell.organization_id = ?1 AND period_cell.period_start = periods.period_start
          AND period_cell.cell_id = cell.cell_id
      WHERE cell.organization_id = ?1
      GROUP BY report_id, periods.period_start HAVING min(report_name) < max(report_name)`).all(organizationId)
    return new Set(rows.map((row) => row['period_start'] as EpochMs))
  }

  /** The totals of messages that have one of the names by which the query selects, but count to `(other)`: from records, by day. */
  otherTotals(organizationId: string, query: OtherTotalsRest): Part<DayPart, OtherTotalsRest> {
    const [from, to] = [this.#firstDay(organizationId, query.from), this.#firstDay(organizationId, query.to)]
    const endsAt = performance.now() + PIECE_MS
    const left = [...(query.left ?? namesIn(query).map(([by, name]) => ({ by, name, from, to })))]
    const found: DayPart[] = []
    for (let range = left.shift(); range !== undefined; range = left.shift()) {
      const { by, name } = range
      const only = { table: 'other_name', sql: `AND ${otherColumn(by)} = ?`, values: [name] } as const
      const [piece, rest] = this.#split(organizationId, range, false, only)
      if (rest !== undefined) left.unshift({ by, name, ...rest })
      for (const total of this.#otherTotalsOf(organizationId, { ...query, ...piece }, by)) found.push(total)
      if (left.length > 0 && performance.now() > endsAt) return { found, rest: { ...query, left } }
    }
    return { found }
  }

  /** Of two names, a message that lacks both in its cell is found by the first alone. */
  #otherTotalsOf(organizationId: string, query: GroupedRange, by: Limited): readonly DayPart[] {
    const { from, to, group } = query
    const columns = ['day_start', ...groupColumns(group)].join(', ')
    const names = namesIn(query)
    const earlier = names.slice(
      0,
      names.findIndex(([dimension]) => dimension === by),
    )
    const [possible, reported] = [possibleCellsOf(query), reportedNamesOf(organizationId, query)]
    return this.#prepare(
      `SELECT ${columns}, count(*) AS messages, count(*) - count(credits_micros) AS unpriced,
         coalesce(sum(credits_micros), 0) AS credits_micros, day_start AS latest
       FROM other_name INDEXED BY other_name_${by} CROSS JOIN record USING (organization_id, at_ms, message_id, revision)
         CROSS JOIN cell USING (organization_id, cell_id)
       WHERE organization_id = ? AND ${otherColumn(by)} = ? AND at_ms >= ? AND at_ms < ? AND superseded_by IS NULL
         ${possible.sql} ${reported.sql} ${earlier.map(([dimension]) => `AND ${otherColumn(dimension)} IS NULL`).join(' ')}
       GROUP BY ${columns}`,
      { bigints: true },
    )
      .all(organizationId, query[by] ?? '', from, to, ...possible.values, ...reported.values)
      .map((row) => ({ dayStart: Number(row['day_start']), ...toNamedTotal(row), ...namesOfGroups(query) }))
  }

  rangeTotals(organizationId: string, query: RangeTotalsRest): Part<RangePart, RangeTotalsRest> {
    const { ranges, group } = query
    const endsAt = performance.now() + PIECE_MS
    const [possible, reported] = [possibleCellsOf(query), reportedNamesOf(organizationId, query)]
    const least = amountsOf(query)
    const sums = `
      SELECT cell_id, count(*) AS messages, count(*) - count(credits_micros) AS unpriced,
        coalesce(sum(credits_micros), 0) AS credits_micros, max(day_start) AS latest
      FROM record WHERE organization_id = ?1 AND at_ms >= ?2 AND at_ms < ?3 AND superseded_by IS NULL
        ${least.sql} ${reported.sql}`
    const sum = this.#prepare(
      isOfAll(query)
        ? `${sums} HAVING count(*) > 0`
        : `SELECT ${[...groupColumns(group), SUMS].join(', ')}, max(latest) AS latest
           FROM (${sums} GROUP BY cell_id) AS sums JOIN cell ON organization_id = ?1 AND cell.cell_id = sums.cell_id ${possible.sql}
           ${groupedBy(groupColumns(group))} HAVING sum(messages) > 0`,
      { bigints: true },
    )
    const found: RangePart[] = []
    for (let range = query.range ?? 0; range < ranges.length; range++) {
      const { from, to } = ranges[range] ?? { from: 0, to: 0 }
      for (let left: Range | undefined = { from: range === query.range ? (query.start ?? from) : from, to }; left; ) {
        if (left.from >= left.to) break
        if (performance.now() > endsAt) return { found, rest: { ...query, range, start: left.from } }
        const [piece, rest]: readonly [Range, Range | undefined] = this.#split(organizationId, left, false)
        const values = [...least.values, ...reported.values, ...possible.values]
        const rows = sum.all(organizationId, piece.from, piece.to, ...values)
        for (const row of rows) found.push({ range, ...toNamedTotal(row), ...namesOfGroups(query) })
        left = rest
      }
    }
    return { found }
  }

  version(organizationId: string, { from, to }: Range): number {
    const row = this.#prepare(
      'SELECT sum(version) AS version FROM day WHERE organization_id = ? AND day_start >= ? AND day_start < ?',
    ).get(organizationId, from, to)
    return Number(row?.['version'] ?? 0)
  }

  span(organizationId: string): { readonly first: number; readonly last: number } | undefined {
    const row = this.#prepare(
      'SELECT min(day_start) AS first, max(day_start) AS last FROM day WHERE organization_id = ? AND messages > 0',
    ).get(organizationId)
    const first = row?.['first']
    return typeof first === 'number' ? { first, last: row?.['last'] as number } : undefined
  }

  closedUntil(organizationId: string): EpochMs {
    const row = this.#prepare('SELECT closed_until FROM account WHERE organization_id = ?').get(organizationId)
    return (row?.['closed_until'] as EpochMs | undefined) ?? CALENDAR_BEGINS
  }

  /** Whole days from their totals, and the day that has begun before from its records. Adjustments count at the start of a day. */
  pricedOtherwise(organizationId: string, query: PricedOtherwiseRest): Part<number, PricedOtherwiseRest> {
    const { since, rateCard } = query
    const endsAt = performance.now() + PIECE_MS
    const found: number[] = []
    const records = [...(query.records ?? [{ from: since, to: this.#firstDay(organizationId, since) }])]
    for (let range = records.shift(); range !== undefined; range = records.shift()) {
      const [piece, rest] = this.#split(organizationId, range, false)
      if (rest !== undefined) records.unshift(rest)
      const row = this.#prepare(`
        SELECT count(*) AS messages FROM record JOIN cell USING (organization_id, cell_id)
        WHERE organization_id = ? AND at_ms >= ? AND at_ms < ? AND superseded_by IS NULL AND credits_micros IS NOT NULL
          AND rate_card <> ?`).get(organizationId, piece.from, piece.to, rateCard)
      found.push(row?.['messages'] as number)
      if (performance.now() > endsAt) return { found, rest: { ...query, records } }
    }
    for (let after = query.after ?? { day: since, cellId: -1 }; ; ) {
      const totals = this.#prepare(`
        SELECT day_start, cell_id, iif(rate_card <> ?, messages - unpriced, 0) AS messages
        FROM day_cell JOIN cell USING (organization_id, cell_id)
        WHERE organization_id = ? AND (day_start, cell_id) > (?, ?) ORDER BY day_start, cell_id LIMIT ${PIECE_ROWS}`).all(
        rateCard,
        organizationId,
        after.day,
        after.cellId,
      )
      found.push(totals.reduce((sum, row) => sum + (row['messages'] as number), 0))
      const last = totals.at(-1)
      if (last === undefined || totals.length < PIECE_ROWS) {
        return { found: [...found, -this.#adjustmentsOtherwise(organizationId, query)] }
      }
      after = { day: last['day_start'] as EpochMs, cellId: last['cell_id'] as number }
      if (performance.now() > endsAt) return { found, rest: { ...query, records: [], after } }
    }
  }

  #adjustmentsOtherwise(organizationId: string, { since, rateCard }: PricedOtherwise): number {
    const row = this.#prepare(`
      SELECT count(*) AS messages
      FROM day CROSS JOIN record ON record.organization_id = day.organization_id AND at_ms = day.day_start
      JOIN cell ON cell.organization_id = record.organization_id AND cell.cell_id = record.cell_id
      WHERE day.organization_id = ? AND day.day_start >= ? AND own_at_ms IS NOT NULL AND superseded_by IS NULL
        AND record.credits_micros IS NOT NULL AND rate_card <> ?`).get(organizationId, since, rateCard)
    return row?.['messages'] as number
  }

  keptCharges(
    organizationId: string,
    { from, to, after, limit, withDigests }: KeptQuery,
  ): { readonly columns: KeptColumns; readonly cells: readonly KeptCell[] } {
    const rows = this.#prepare(
      `SELECT message_id, at_ms, timestamp, day_start, revision, credits_micros, cell_id, own_at_ms, hex(facts), ${withDigests ? 'digest' : 'NULL'},
         ${replaced('cell_id')}, ${replaced('credits_micros')}
       FROM record
       WHERE organization_id = ? AND ${after === undefined ? 'at_ms >= ?' : '(at_ms, message_id) > (?, ?)'} AND at_ms < ?
         AND superseded_by IS NULL
       ORDER BY at_ms, message_id LIMIT ?`,
      { arrays: true },
    ).all(
      organizationId,
      ...(after === undefined ? [from] : [after.at, toSqlId(after.messageId)]),
      to,
      limit,
    ) as unknown as readonly KeptValues[]
    const cells = new KeptCells<KeptCell>()
    const indexOf = (cellId: number, row: KeptValues, revision: number): number => {
      const known = cells.find(cellId)
      if (known !== undefined) return known
      if (!isOther(this.#cells.cellOf(organizationId, cellId))) return cells.indexOf(cellId)
      const record = { cell_id: cellId, at_ms: row[1], message_id: row[0], revision }
      const reported = this.#cellOf(organizationId, record)
      return cells.indexOf({ cellId, reported }, JSON.stringify([cellId, reported.model, reported.feature]))
    }
    const kept = new KeptChargesBuilder(rows.length)
    const facts = Uint8Array.fromHex(rows.map((row) => row[8]).join(''))
    let factsEnd = 0
    for (const row of rows) {
      // By index, because destructuring an array takes several times as long.
      const [oldCell, old] = [row[10], row[11]]
      const factsStart = factsEnd
      factsEnd += row[8].length / 2
      kept.add({
        messageId: row[0],
        at: row[1],
        timestamp: row[2] ?? undefined,
        dayStart: row[3],
        revision: row[4],
        credits: row[5] ?? undefined,
        cell: indexOf(row[6], row, row[4]),
        adjusts: row[7] ?? undefined,
        facts: facts.subarray(factsStart, factsEnd),
        digest: row[9] ?? undefined,
        replaced: oldCell === null ? undefined : { cell: indexOf(oldCell, row, row[4] - 1), credits: old ?? undefined },
      })
    }
    return { columns: kept.columns(), cells: cells.distinct }
  }

  cells(organizationId: string, ids: readonly number[]): readonly Cell[] {
    return ids.map((id) => this.#cells.cellOf(organizationId, id))
  }

  #firstDay(organizationId: string, since: EpochMs): EpochMs {
    const row = this.#prepare(
      'SELECT min(day_start) AS first FROM day WHERE organization_id = ? AND day_start >= ?',
    ).get(organizationId, since)
    return (row?.['first'] as EpochMs | null | undefined) ?? END_OF_TIME
  }

  #prepare(sql: string, { bigints = false, arrays = false } = {}): StatementSync {
    let statement = this.#statements.get(sql)
    if (statement === undefined) {
      statement = this.#database.prepare(sql)
      statement.setReadBigInts(bigints)
      statement.setReturnArrays(arrays)
      this.#statements.set(sql, statement)
    }
    return statement
  }
}

/** In the order of the statement. Rows as arrays take half the time of objects, and facts as text a quarter of that of blobs. */
type KeptValues = readonly [
  messageId: Id,
  at: EpochMs,
  timestamp: string | null,
  dayStart: EpochMs,
  revision: number,
  credits: number | null,
  cellId: number,
  adjusts: EpochMs | null,
  hexFacts: string,
  digest: Uint8Array | null,
  replacedCellId: number | null,
  replacedCredits: number | null,
]

/**
 * The id of a cell, so that each is sent to the caller's thread once: `cells`. If it has `(other)`, it comes with what was
 * reported.
 */
export type KeptCell = number | { readonly cellId: number; readonly reported: Cell }

/** A column of the revision before, which lies beside this one. */
const replaced = (column: string): string => `
  CASE WHEN revision > 0 THEN (
    SELECT ${column} FROM record AS old
    WHERE old.organization_id = record.organization_id AND old.at_ms = record.at_ms
      AND old.message_id = record.message_id AND old.revision = record.revision - 1
  ) END`

const END_OF_TIME: EpochMs = -CALENDAR_BEGINS

const NO_PERIODS: ReadonlySet<EpochMs> = new Set()

const toSqlId = (id: Id): bigint | string => (typeof id === 'number' ? BigInt(id) : id)

const messageIdOf = (row: Row): Id => row['message_id'] as Id

const SUMS = 'sum(messages) AS messages, sum(unpriced) AS unpriced, sum(credits_micros) AS credits_micros'

const isSearch = (query: PageQuery): boolean =>
  query.unpriced === true || query.minCredits !== undefined || isFilter(query)

/** Whether the totals are those of days. */
const isOfAll = (query: GroupedCells): boolean => query.group.length === 0 && !isFilter(query)

const groupedBy = (columns: readonly string[]): string => (columns.length === 0 ? '' : `GROUP BY ${columns.join(', ')}`)

type Condition<Value = string> = { readonly sql: string; readonly values: readonly Value[] }

const NO_CONDITION: Condition<never> = { sql: '', values: [] }

/** Joins days that follow each other while they have few records. */
const joined = (days: readonly Days[], fromEnd: boolean): readonly Days[] => {
  const pieces: Days[] = []
  for (const day of days) {
    const last = pieces.at(-1)
    if (last !== undefined && last.to === day.from && last.messages + day.messages <= PIECE_PASSED) {
      pieces[pieces.length - 1] = { from: last.from, to: day.to, messages: last.messages + day.messages }
    } else pieces.push(day)
  }
  return fromEnd ? pieces.reverse() : pieces
}

/** The condition that a joined cell is meant. */
const conditionsOf = (filter: CellFilter): Condition => {
  const texts = filterTexts(filter)
  return {
    sql: texts.map(([dimension]) => `AND cell.${columnOf(dimension)} = ?`).join(' '),
    values: texts.map(([, text]) => text),
  }
}

/** The same of a cell to which messages may count that are meant: of those, `reportedNamesOf` selects the records. */
const possibleCellsOf = (filter: CellFilter): Condition => {
  const names = namesIn(filter)
  const { sql, values } = conditionsOf({ ...filter, ...Object.fromEntries(names.map(([by]) => [by, undefined])) })
  return {
    sql: [sql, ...names.map(([by]) => `AND cell.${by} IN (?, '${OTHER}')`)].join(' '),
    values: [...values, ...names.map(([, name]) => name)],
  }
}

/** A record keeps a name only if its cell has `(other)` in its place. */
const reportedNamesOf = (organizationId: string, filter: CellFilter): Condition => {
  const names = namesIn(filter)
  return {
    sql: names
      .map(
        ([
          by,
        ]) => `AND (record.cell_id NOT IN (SELECT cell_id FROM cell WHERE organization_id = ? AND ${by} = '${OTHER}')
          OR EXISTS (SELECT 1 FROM other_name WHERE ${NAMES_OF_RECORD} AND ${otherColumn(by)} = ?))`,
      )
      .join(' '),
    values: names.flatMap(([, name]) => [organizationId, name]),
  }
}

/** No record without a price fulfils it. */
const amountsOf = ({ minCredits }: ChargeFilter) =>
  minCredits === undefined ? NO_CONDITION : { sql: 'AND credits_micros >= ?', values: [minCredits] }

const ALL_RECORDS = { table: 'record', sql: '', values: [] } as const

/** The condition that a column names a cell of which a condition holds. */
const cellsOf = (column: string, organizationId: string, { sql, values }: Condition): Condition =>
  sql === ''
    ? { sql, values }
    : {
        sql: `AND ${column} IN (SELECT cell_id FROM cell WHERE organization_id = ? ${sql})`,
        values: [organizationId, ...values],
      }

type SqlOrder = {
  /** For an order by a text of the cell: the condition that a cell's lines come before a position, whatever their time. */
  readonly ofCells?: { readonly before: (position: PagePosition) => Condition }
  readonly sorted: string
  /** The condition that a line comes before a position. Equal ones come after it. */
  readonly isBefore: (organizationId: string, position: PagePosition) => Condition<SQLInputValue>
  /** The condition that a line comes after a position, and its values. */
  readonly isAfter: string
  readonly valuesOf: (organizationId: string, after: PagePosition) => readonly SQLInputValue[]
}

const IN_TIME = 'at_ms, message_id'

const timeOf = ({ at, messageId }: PagePosition): readonly SQLInputValue[] => [at, toSqlId(messageId)]

const idAndTimeOf = ({ messageId, at }: PagePosition) => [toSqlId(messageId), at]

/** The same orders as `compareLines`. */
const orderOf = ({ by, isDescending }: LineOrder): SqlOrder => {
  const [direction, isAhead, isBehind] = isDescending ? ['DESC', '>', '<'] : ['ASC', '<', '>']
  /** Looks for the cells first, because a join would look up the cell of every record that is passed over. */
  const byText = (column: string, textOf: (position: PagePosition) => string | undefined): SqlOrder => {
    const before = (position: PagePosition): Condition => {
      const text = textOf(position)
      return text === undefined
        ? { sql: `AND ${column} <> ''`, values: [] }
        : { sql: `AND ${column} <> '' AND ${column} ${isAhead} ?`, values: [text] }
    }
    return {
      ofCells: { before },
      sorted: `${column} = '', ${column} ${direction}, ${IN_TIME}`,
      isBefore: (organizationId, position) => cellsOf('record.cell_id', organizationId, before(position)),
      isAfter: `(record.cell_id IN (SELECT cell_id FROM cell
            WHERE organization_id = ? AND ? <> '' AND (${column} = '' OR ${column} ${isBehind} ?))
          OR record.cell_id IN (SELECT cell_id FROM cell WHERE organization_id = ? AND ${column} = ?)
            AND (${IN_TIME}) > (?, ?))`,
      valuesOf: (organizationId, after) => {
        const text = textOf(after) ?? ''
        return [organizationId, text, text, organizationId, text, ...timeOf(after)]
      },
    }
  }
  switch (by) {
    case 'time':
      return {
        sorted: `at_ms ${direction}, message_id ${direction}`,
        isBefore: (_, position) => ({ sql: `AND (${IN_TIME}) ${isAhead} (?, ?)`, values: timeOf(position) }),
        isAfter: `(${IN_TIME}) ${isBehind} (?, ?)`,
        valuesOf: (_, after) => timeOf(after),
      }
    case 'id':
      return {
        // A closed charge and its adjustment have the same id. `+` keeps SQLite from walking the index of ids, which has those of
        // every other period.
        sorted: `+message_id ${direction}, at_ms ${direction}`,
        isBefore: (_, position) => ({
          sql: `AND (+message_id, at_ms) ${isAhead} (?, ?)`,
          values: idAndTimeOf(position),
        }),
        isAfter: `(+message_id, at_ms) ${isBehind} (?, ?)`,
        valuesOf: (_, after) => idAndTimeOf(after),
      }
    case 'credits':
      return {
        sorted: `credits_micros IS NULL, credits_micros ${direction}, ${IN_TIME}`,
        isBefore: (_, { credits }) =>
          credits === undefined
            ? { sql: 'AND credits_micros IS NOT NULL', values: [] }
            : { sql: `AND credits_micros ${isAhead} ?`, values: [credits] },
        isAfter: `(? IS NOT NULL AND (credits_micros IS NULL OR credits_micros ${isBehind} ?)
          OR credits_micros IS ? AND (${IN_TIME}) > (?, ?))`,
        valuesOf: (_, { credits = null, ...after }) => [credits, credits, credits, ...timeOf(after)],
      }
    case 'member':
      return byText('member', ({ cell }) => cell.member)
    case 'report':
      return byText('report_name', ({ cell }) => cell.reportName)
  }
}
