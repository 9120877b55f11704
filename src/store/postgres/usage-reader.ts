/** Reads usage in the caller's transaction. */
import type { PoolClient } from 'pg'
import { KeptCells, KeptChargesBuilder } from '#ledger/kept-charges.ts'
import type {
  GroupedCells,
  GroupedRange,
  LedgerView,
  PageQuery,
  PricedOtherwise,
  RangeTotalsQuery,
} from '#ledger/ledger.ts'
import { type Cell, type CellFilter, filterTexts, isFilter } from '#model/cell.ts'
import { type LineOrder, type PagePosition, TIME_ORDER } from '#model/line-order.ts'
import { CALENDAR_BEGINS } from '#model/organization.ts'
import {
  LIMITED,
  namesIn,
  namesOfGroups,
  OTHER,
  OTHER_COLUMNS,
  otherColumn,
  reportedCell,
  reportedKey,
} from '../shared/others.ts'
import {
  columnOf,
  groupColumns,
  type NamedTotal,
  toLine,
  toNamedTotal,
  toStoredCharge,
  wholeNumber,
} from '../shared/rows.ts'
import type { Row } from '../shared/steps.ts'
import { type DayPart, mergeDays, mergeRanges, mergeTotals } from '../shared/totals.ts'
import type { Cells } from './cells.ts'
import { readStatement } from './connection.ts'
import { messageIdOf, numberAndName } from './rows.ts'

const LINE = `message_number, message_name, at_ms, own_at_ms, timestamp, record.cell_id, credits_micros, ${OTHER_COLUMNS}`
const FACTS_IF_UNPRICED = 'CASE WHEN credits_micros IS NULL THEN facts END AS facts'

export const createView = (
  client: PoolClient,
  organizationId: string,
  cells: Cells,
  signal?: AbortSignal,
): LedgerView => {
  let previous: Promise<unknown> = Promise.resolve()
  /** One statement at a time, because pg's own queue of a connection goes away. */
  const query = (text: string, ...values: readonly unknown[]): Promise<readonly Row[]> => {
    const run = async (): Promise<readonly Row[]> => {
      signal?.throwIfAborted()
      return (await client.query(readStatement(text, [organizationId, ...values]))).rows as readonly Row[]
    }
    const rows = previous.then(run, run)
    previous = rows
    return rows
  }

  /** The cells of rows, which are read apart because most rows share a few. */
  const cellsOf = (rows: readonly Row[]): Promise<(row: Row) => Cell> => cells.cellsOf(organizationId, rows, query)

  /** The totals of messages that have one of the names by which the query selects, but count to `(other)`: from records, by day. */
  const otherTotals = async ({ from, to, ...which }: GroupedRange): Promise<readonly DayPart[]> => {
    const meant = reportedConditionsOf(which, 4)
    if (meant.isOther === '') return []
    const columns = ['day_start', ...groupColumns(which.group)].join(', ')
    const rows = await query(
      `SELECT ${columns}, day_start AS latest, count(*) AS messages, count(*) - count(credits_micros) AS unpriced,
         coalesce(sum(credits_micros), 0) AS credits_micros
       FROM record JOIN cell USING (organization_id, cell_id)
       WHERE organization_id = $1 AND day_start >= $2 AND day_start < $3 AND superseded_by IS NULL
         AND (${meant.isOther}) ${meant.ofCells} ${meant.ofRecords}
       GROUP BY ${columns}`,
      from,
      to,
      ...meant.values,
    )
    return rows.map((row) => ({
      dayStart: wholeNumber(row['day_start']),
      ...toNamedTotal(row),
      ...namesOfGroups(which),
    }))
  }

  return {
    page: async ({ from, to, order = TIME_ORDER, after, limit, unpriced, minCredits, ...filter }: PageQuery) => {
      const { needsCell, sorted, isAfter, position } = orderOf(order)
      const meant = reportedConditionsOf(filter, 6)
      const rows = await query(
        `SELECT ${LINE}, ${FACTS_IF_UNPRICED} FROM record ${needsCell || meant.ofCells !== '' ? 'JOIN cell USING (organization_id, cell_id)' : ''}
         WHERE organization_id = $1 AND superseded_by IS NULL AND at_ms >= $2 AND at_ms < $3 ${unpriced ? 'AND credits_micros IS NULL' : ''}
           AND ($5::bigint IS NULL OR credits_micros >= $5)
           ${meant.ofCells} ${meant.ofRecords} ${after === undefined ? '' : `AND ${isAfter(6 + meant.values.length)}`}
         ORDER BY ${sorted} LIMIT $4`,
        from,
        to,
        limit,
        minCredits ?? null,
        ...meant.values,
        ...(after === undefined ? [] : position(after)),
      )
      const cellOf = await cellsOf(rows)
      return rows.map((row) => toLine(row, reportedCell(row, cellOf(row)), messageIdOf))
    },

    charges: async (messageId) => {
      const rows = await query(
        `SELECT ${LINE}, facts, digest, revision, recorded_at, superseded_by FROM record
         WHERE organization_id = $1 AND message_number = $2 AND message_name = $3 ORDER BY revision DESC`,
        ...numberAndName(messageId),
      )
      const cellOf = await cellsOf(rows)
      return rows.map((row) => toStoredCharge(row, reportedCell(row, cellOf(row)), messageIdOf))
    },

    dayTotals: async ({ from, to, ...which }: GroupedRange) => {
      const { group } = which
      const meant = conditionsOf(which, 4)
      const rows = await query(
        isOfAll(which)
          ? `SELECT day_start, messages, unpriced, credits_micros FROM day
             WHERE organization_id = $1 AND day_start >= $2 AND day_start < $3 AND messages > 0`
          : `SELECT ${['day_start', ...groupColumns(group)].join(', ')}, ${SUMS}
             FROM day_cell JOIN cell USING (organization_id, cell_id)
             WHERE organization_id = $1 AND day_start >= $2 AND day_start < $3 ${meant.sql}
             GROUP BY ${['day_start', ...groupColumns(group)].join(', ')} HAVING sum(messages) > 0`,
        from,
        to,
        ...meant.values,
      )
      const days = rows.map((row) => ({ dayStart: wholeNumber(row['day_start']), ...toNamedTotal(row) }))
      return mergeDays([...days, ...(await otherTotals({ from, to, ...which }))], group)
    },

    totals: async ({ from, to, ...which }: GroupedRange) => {
      const { group } = which
      if (isOfAll(which)) {
        const rows = await query(
          `SELECT ${SUMS} FROM day WHERE organization_id = $1 AND day_start >= $2 AND day_start < $3 HAVING sum(messages) > 0`,
          from,
          to,
        )
        return mergeTotals(rows.map(toNamedTotal), group)
      }
      const periods = await query(
        `SELECT period_start, min(day_start) >= $2 AND max(day_start) < $3 AS is_whole,
           array_agg(day_start) FILTER (WHERE day_start >= $2 AND day_start < $3) AS days
         FROM day WHERE organization_id = $1 GROUP BY period_start
         HAVING max(day_start) >= $2 AND min(day_start) < $3`,
        from,
        to,
      )
      const ofOther = await otherTotals({ from, to, ...which })
      // Only the days tell which name of a report was the latest, and those of records are by day.
      const isWhole = (row: Row): unknown => row['is_whole'] && ofOther.length === 0
      const [whole, others] = [periods.filter(isWhole), periods.filter((row) => !isWhole(row))]
      const daysOf = (rows: readonly Row[]): readonly unknown[] => rows.flatMap((row) => row['days'] ?? [])
      const meant = conditionsOf(which, 4)
      const partsOf = async (
        of: 'period' | 'day',
        starts: readonly unknown[],
        reportIds: readonly string[] | null = null,
      ) =>
        starts.length === 0
          ? []
          : (
              await query(
                `SELECT ${[...groupColumns(group), `${of}_start`].join(', ')}, ${of}_start AS latest, ${SUMS}
                 FROM ${of}_cell JOIN cell USING (organization_id, cell_id)
                 WHERE organization_id = $1 AND ${of}_start = ANY($2::bigint[])
                   AND ($3::text[] IS NULL OR report_id = ANY($3)) ${meant.sql}
                 GROUP BY ${[...groupColumns(group), `${of}_start`].join(', ')} HAVING sum(messages) > 0`,
                starts,
                reportIds,
                ...meant.values,
              )
            ).map(toNamedTotal)
      const ofPeriods = await partsOf(
        'period',
        whole.map((row) => row['period_start']),
      )
      // Only its days tell which name of a report was the latest.
      const renamed = renamedIn(ofPeriods)
      return mergeTotals(
        [
          ...ofPeriods.filter(({ reportId }) => reportId === undefined || !renamed.has(String(reportId))),
          ...(renamed.size === 0 ? [] : await partsOf('day', daysOf(whole), [...renamed])),
          ...(await partsOf('day', daysOf(others))),
          ...ofOther,
        ],
        group,
      )
    },

    rangeTotals: async ({ ranges, minCredits, ...which }: RangeTotalsQuery) => {
      const { group } = which
      const meant = reportedConditionsOf(which, 5)
      const sums = `
        SELECT ranges.number AS range, record.cell_id, count(*) AS messages,
          count(*) - count(record.credits_micros) AS unpriced, coalesce(sum(record.credits_micros), 0) AS credits_micros,
          max(record.day_start) AS latest
        FROM unnest($2::bigint[], $3::bigint[]) WITH ORDINALITY AS ranges (range_from, range_to, number)
        JOIN record ON record.organization_id = $1 AND record.superseded_by IS NULL
          AND record.at_ms >= ranges.range_from AND record.at_ms < ranges.range_to
          AND ($4::bigint IS NULL OR record.credits_micros >= $4) ${meant.ofRecords}
        GROUP BY 1, 2`
      const columns = ['range', ...groupColumns(group)].join(', ')
      const rows = await query(
        `SELECT ${columns}, ${SUMS}, max(latest) AS latest
         FROM (${sums}) AS sums JOIN cell ON organization_id = $1 AND cell.cell_id = sums.cell_id ${meant.ofCells}
         GROUP BY ${columns}`,
        ranges.map(({ from }) => from),
        ranges.map(({ to }) => to),
        minCredits ?? null,
        ...meant.values,
      )
      const parts = rows.map((row) => ({
        range: wholeNumber(row['range']) - 1,
        ...toNamedTotal(row),
        ...namesOfGroups(which),
      }))
      return mergeRanges(parts, group)
    },

    version: async ({ from, to }) => {
      const [row] = await query(
        `SELECT coalesce(sum(version), 0)::bigint AS version FROM day
         WHERE organization_id = $1 AND day_start >= $2 AND day_start < $3`,
        from,
        to,
      )
      return wholeNumber(row?.['version'])
    },

    span: async () => {
      const [row] = await query(
        'SELECT min(day_start) AS first, max(day_start) AS last FROM day WHERE organization_id = $1 AND messages > 0',
      )
      const first = row?.['first'] ?? undefined
      return first === undefined ? undefined : { first: wholeNumber(first), last: wholeNumber(row?.['last']) }
    },

    closedUntil: async () => {
      const [row] = await query('SELECT closed_until FROM account WHERE organization_id = $1')
      return row === undefined ? CALENDAR_BEGINS : wholeNumber(row['closed_until'])
    },

    // Whole days from their totals, and the day that has begun before from its records. Adjustments count at the start of a day.
    pricedOtherwise: async ({ since, rateCard }: PricedOtherwise) => {
      const [first] = await query(
        'SELECT min(day_start) AS day_start FROM day WHERE organization_id = $1 AND day_start >= $2',
        since,
      )
      const [ofDay] = await query(
        `SELECT count(*) AS messages FROM record JOIN cell USING (organization_id, cell_id)
         WHERE organization_id = $1 AND at_ms >= $2 AND at_ms < $3 AND superseded_by IS NULL AND credits_micros IS NOT NULL
           AND rate_card <> $4`,
        since,
        first?.['day_start'] ?? -CALENDAR_BEGINS,
        rateCard,
      )
      const [ofDays] = await query(
        `SELECT coalesce(sum(messages - unpriced), 0)::bigint AS messages FROM day_cell JOIN cell USING (organization_id, cell_id)
         WHERE organization_id = $1 AND day_start >= $2 AND rate_card <> $3`,
        since,
        rateCard,
      )
      const [adjustments] = await query(
        `SELECT count(*) AS messages FROM day JOIN record ON record.organization_id = day.organization_id AND at_ms = day.day_start
         JOIN cell ON cell.organization_id = record.organization_id AND cell.cell_id = record.cell_id
         WHERE day.organization_id = $1 AND day.day_start >= $2 AND own_at_ms IS NOT NULL AND superseded_by IS NULL
           AND record.credits_micros IS NOT NULL AND rate_card <> $3`,
        since,
        rateCard,
      )
      const ofWholeDays = wholeNumber(ofDays?.['messages']) - wholeNumber(adjustments?.['messages'])
      return wholeNumber(ofDay?.['messages']) + ofWholeDays
    },

    keptCharges: async ({ from, to, after, limit, withDigests }) => {
      const rows = await query(
        `SELECT ${LINE}, day_start, revision, facts, ${withDigests ? 'digest' : 'NULL AS digest'}, old.*
         FROM (
           SELECT * FROM record
           WHERE organization_id = $1 AND superseded_by IS NULL AND at_ms >= $2 AND at_ms < $3
             ${after === undefined ? '' : `AND (${TIME}) > ${time(5)}`}
           ORDER BY ${TIME} LIMIT $4
         ) AS record
         LEFT JOIN LATERAL (
           SELECT ${REPLACED.map((column) => `${column} AS ${replaced(column)}`).join(', ')} FROM record AS old
           WHERE record.revision > 0 AND old.organization_id = $1 AND old.message_number = record.message_number
             AND old.message_name = record.message_name AND old.revision = record.revision - 1 AND old.at_ms = record.at_ms
         ) AS old ON true
         ORDER BY ${TIME}`,
        from,
        to,
        limit,
        ...(after === undefined ? [] : [after.at, ...numberAndName(after.messageId)]),
      )
      const cells = new KeptCells<Row>()
      const indexOf = (row: Row): number => cells.indexOf(row, reportedKey(row))
      const kept = new KeptChargesBuilder(rows.length)
      for (const row of rows) {
        const old = replacedIn(row)
        kept.add({
          messageId: messageIdOf(row),
          at: wholeNumber(row['at_ms']),
          timestamp: (row['timestamp'] as string | null) ?? undefined,
          dayStart: wholeNumber(row['day_start']),
          revision: wholeNumber(row['revision']),
          credits: numberOf(row['credits_micros']),
          cell: indexOf(row),
          adjusts: numberOf(row['own_at_ms']),
          replaced: old && { cell: indexOf(old), credits: numberOf(old['credits_micros']) },
          facts: row['facts'] as Uint8Array,
          digest: (row['digest'] ?? undefined) as Uint8Array | undefined,
        })
      }
      const cellOf = await cellsOf(cells.distinct)
      const countedCells = cells.distinct.map(cellOf)
      return kept.build(
        countedCells.map((cell, index) => reportedCell(cells.distinct[index] ?? {}, cell)),
        countedCells,
      )
    },
  }
}

/** Columns of the revision before, which a row may have beside its own. */
const REPLACED = ['cell_id', 'credits_micros', ...LIMITED.map(otherColumn)]

const replaced = (column: string): string => `replaced_${column}`

const replacedIn = (row: Row): Row | undefined =>
  row[replaced('cell_id')] === null
    ? undefined
    : Object.fromEntries(REPLACED.map((column) => [column, row[replaced(column)]]))

const numberOf = (value: unknown): number | undefined => (value === null ? undefined : wholeNumber(value))

const SUMS =
  'sum(messages)::bigint AS messages, sum(unpriced)::bigint AS unpriced, sum(credits_micros)::bigint AS credits_micros'

/** Whether the totals are those of days. */
const isOfAll = (query: GroupedCells): boolean => query.group.length === 0 && !isFilter(query)

/** The condition that a joined cell is meant. Its values start at a number. */
const conditionsOf = (
  filter: CellFilter,
  first: number,
): { readonly sql: string; readonly values: readonly string[] } => {
  const texts = filterTexts(filter)
  return {
    sql: texts.map(([dimension], index) => `AND cell.${columnOf(dimension)} = $${first + index}`).join(' '),
    values: texts.map(([, text]) => text),
  }
}

/**
 * The condition that a record and its joined cell are of a message that is meant. A record keeps a name only if its cell has
 * `(other)` in its place. `isOther`: it keeps one by which the filter selects.
 */
const reportedConditionsOf = (filter: CellFilter, first: number) => {
  const texts = filterTexts(filter)
  const names = namesIn(filter).map(([name]) => name as string)
  const placeOf = (dimension: string): string => `$${first + texts.findIndex(([each]) => each === dimension)}`
  return {
    ofCells: texts
      .map(([dimension]) => {
        const isName = names.includes(dimension)
        return `AND cell.${columnOf(dimension)} ${isName ? `IN (${placeOf(dimension)}, '${OTHER}')` : `= ${placeOf(dimension)}`}`
      })
      .join(' '),
    ofRecords: names
      .map((name) => `AND (record.other_${name} IS NULL OR record.other_${name} = ${placeOf(name)})`)
      .join(' '),
    isOther: names.map((name) => `record.other_${name} = ${placeOf(name)}`).join(' OR '),
    values: texts.map(([, text]) => text),
  }
}

/** The reports that have several names in the same period. */
const renamedIn = (totals: readonly NamedTotal[]): ReadonlySet<string> => {
  const names = new Map<string, string | undefined>()
  const renamed = new Set<string>()
  for (const { reportId, reportName, latest } of totals) {
    const key = `${latest} ${reportId}`
    if (names.has(key) && names.get(key) !== reportName) renamed.add(String(reportId))
    names.set(key, reportName)
  }
  return renamed
}

type SqlOrder = {
  /** Whether a column of `cell` is compared. */
  readonly needsCell: boolean
  readonly sorted: string
  /** The condition that a line comes after a position, whose values start at a number. */
  readonly isAfter: (first: number) => string
  readonly position: (after: PagePosition) => readonly (string | number | null)[]
}

const TIME = 'at_ms, message_number, message_name'

const timeOf = ({ at, messageId }: PagePosition): readonly (string | number)[] => [at, ...numberAndName(messageId)]

/** The values of a time that start at a number. */
const time = (first: number): string => `($${first}::bigint, $${first + 1}::bigint, $${first + 2}::text)`

/** The same orders as `compareLines`. */
const orderOf = ({ by, isDescending }: LineOrder): SqlOrder => {
  const [direction, isBehind] = isDescending ? ['DESC', '<'] : ['ASC', '>']
  const byText = (column: string, textOf: (after: PagePosition) => string | undefined): SqlOrder => ({
    needsCell: true,
    sorted: `${column} = '', ${column} ${direction}, ${TIME}`,
    isAfter: (first) =>
      `($${first}::text <> '' AND (${column} = '' OR ${column} ${isBehind} $${first})
         OR ${column} = $${first} AND (${TIME}) > ${time(first + 1)})`,
    position: (after) => [textOf(after) ?? '', ...timeOf(after)],
  })
  switch (by) {
    case 'time':
      return {
        needsCell: false,
        sorted: `at_ms ${direction}, message_number ${direction}, message_name ${direction}`,
        isAfter: (first) => `(${TIME}) ${isBehind} ${time(first)}`,
        position: timeOf,
      }
    case 'id':
      return {
        needsCell: false,
        // A closed charge and its adjustment have the same id.
        sorted: `message_number ${direction}, message_name ${direction}, at_ms ${direction}`,
        isAfter: (first) =>
          `(message_number, message_name, at_ms) ${isBehind} ($${first}::bigint, $${first + 1}::text, $${first + 2}::bigint)`,
        position: ({ messageId, at }) => [...numberAndName(messageId), at],
      }
    case 'credits':
      return {
        needsCell: false,
        sorted: `credits_micros ${direction} NULLS LAST, ${TIME}`,
        isAfter: (first) =>
          `($${first}::bigint IS NOT NULL AND (credits_micros IS NULL OR credits_micros ${isBehind} $${first})
             OR credits_micros IS NOT DISTINCT FROM $${first} AND (${TIME}) > ${time(first + 1)})`,
        position: ({ credits = null, ...after }) => [credits, ...timeOf(after)],
      }
    case 'member':
      return byText('member', ({ cell }) => cell.member)
    case 'report':
      return byText('report_name', ({ cell }) => cell.reportName)
  }
}
