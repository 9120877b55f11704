/** Reads usage in the caller's transaction. */
import type { PoolClient } from 'pg'
import type { DayTotalsQuery, GroupField, LedgerView, PageQuery, RangeTotalsQuery } from '#ledger/ledger.ts'
import { readStatement } from './connection.ts'
import { numberAndName } from './record-writer.ts'
import { type Row, toDayTotal, toLine, toRangeTotal, toStoredCharge, wholeNumber } from './rows.ts'

const LINE = `record.message_number, record.message_name, record.at_ms, record.timestamp, record.member, record.report_id,
  record.report_name, record.credits_micros, rate_card.version AS rate_card`

export const createView = (client: PoolClient, organizationId: string, signal?: AbortSignal): LedgerView => {
  const query = async (text: string, ...values: readonly unknown[]): Promise<readonly Row[]> => {
    signal?.throwIfAborted()
    return (await client.query(readStatement(text, [organizationId, ...values]))).rows as readonly Row[]
  }

  return {
    page: async ({ from, to, member, reportId, after, limit }: PageQuery) => {
      const isFiltered = member !== undefined || reportId !== undefined
      const rows = await query(
        `SELECT ${LINE}
         FROM usage_record AS record JOIN rate_card USING (rate_card_id)
         WHERE record.organization_id = $1 AND record.superseded_by IS NULL AND record.at_ms >= $2 AND record.at_ms < $3
           AND (record.at_ms, record.message_number, record.message_name) > ($4::bigint, $5::bigint, $6::text)
           ${isFiltered ? ONLY_ON_ITS_DAYS : ''}
         ORDER BY record.at_ms, record.message_number, record.message_name LIMIT $7`,
        from,
        to,
        ...(after === undefined ? [from, -(2 ** 53), ''] : [after.at, ...numberAndName(after.messageId)]),
        limit,
        ...(isFiltered ? [reportId === undefined ? null : String(reportId), member ?? null] : []),
      )
      return rows.map(toLine)
    },

    charges: async (messageId) => {
      const rows = await query(
        `SELECT ${LINE}, record.measurement, record.digest, record.revision, record.recorded_at, record.superseded_by
         FROM usage_record AS record JOIN rate_card USING (rate_card_id)
         WHERE record.organization_id = $1 AND record.message_number = $2 AND record.message_name = $3
         ORDER BY record.revision DESC`,
        ...numberAndName(messageId),
      )
      return rows.map(toStoredCharge)
    },

    dayTotals: async ({ from, to, group }: DayTotalsQuery) => {
      const rows = await query(
        group.length === 0
          ? `SELECT day_start, messages, credits_micros FROM daily_total
             WHERE organization_id = $1 AND day_start >= $2 AND day_start < $3 AND messages > 0 ORDER BY day_start`
          : `SELECT day_start, ${columnsOf(group)}, sum(messages)::bigint AS messages,
               sum(credits_micros)::bigint AS credits_micros
             FROM daily_group_total WHERE organization_id = $1 AND day_start >= $2 AND day_start < $3
             GROUP BY day_start, ${keysOf(group)} HAVING sum(messages) > 0 ORDER BY day_start, ${keysOf(group)}`,
        from,
        to,
      )
      return rows.map(toDayTotal)
    },

    rangeTotals: async ({ ranges, group }: RangeTotalsQuery) => {
      const keys = group.map((field) => `coalesce(record.${KEYS[field]}, '')`).join(', ')
      const rows = await query(
        `SELECT ranges.number AS range, ${group.length === 0 ? '' : `${columnsOf(group)},`}
           count(*) AS messages, sum(record.credits_micros)::bigint AS credits_micros
         FROM unnest($2::bigint[], $3::bigint[]) WITH ORDINALITY AS ranges (range_from, range_to, number)
         JOIN usage_record AS record ON record.organization_id = $1 AND record.superseded_by IS NULL
           AND record.at_ms >= ranges.range_from AND record.at_ms < ranges.range_to
         GROUP BY ranges.number${group.length === 0 ? '' : `, ${keysOf(group)}`}
         ORDER BY ranges.number${group.length === 0 ? '' : `, ${keys}`}`,
        ranges.map(({ from }) => from),
        ranges.map(({ to }) => to),
      )
      return rows.map(toRangeTotal)
    },

    version: async ({ from, to }) => {
      const [row] = await query(
        `SELECT coalesce(sum(version), 0)::bigint AS version FROM daily_total
         WHERE organization_id = $1 AND day_start >= $2 AND day_start < $3`,
        from,
        to,
      )
      return wholeNumber(row?.['version'])
    },

    span: async () => {
      const [row] = await query(
        'SELECT min(day_start) AS first, max(day_start) AS last FROM daily_total WHERE organization_id = $1 AND messages > 0',
      )
      const first = row?.['first']
      return first === null || first === undefined
        ? undefined
        : { first: wholeNumber(first), last: wholeNumber(row?.['last']) }
    },
  }
}

/** The totals show on which days a report or member has messages. Only those days are searched. */
const ONLY_ON_ITS_DAYS = `
  AND ($8::text IS NULL OR record.report_id = $8) AND ($9::text IS NULL OR record.member = $9)
  AND record.day_start IN (
    SELECT day_start FROM daily_group_total
    WHERE organization_id = $1 AND day_start < $3
      AND ($8::text IS NULL OR report_id = $8) AND ($9::text IS NULL OR member = $9))`

const KEYS = { report: 'report_id', member: 'member' } as const satisfies Record<GroupField, string>

const keysOf = (group: readonly GroupField[]): string => group.map((field) => KEYS[field]).join(', ')

const columnsOf = (group: readonly GroupField[]): string =>
  `${keysOf(group)}${group.includes('report') ? ', max(report_name) AS report_name' : ''}`
