/** Adds up how amendments change totals, so that each total is written once. */
import type { PoolClient } from 'pg'
import type { Credits } from '#model/credits.ts'
import { bigints, texts } from './binary-arrays.ts'

/** The totals that a record counts toward. '' means no report or no member. */
export type Counted = {
  readonly dayStart: number
  readonly reportId: string
  readonly member: string
  readonly credits: Credits
}

type Change = { readonly of: Counted; reportName: string | undefined; messages: number; credits: bigint }

export class TotalChanges {
  readonly #groups = new Map<string, Change>()

  add(record: Counted, reportName: string | undefined): void {
    const change = this.#change(record, 1)
    change.reportName = reportName ?? change.reportName
  }

  subtract(record: Counted): void {
    this.#change(record, -1)
  }

  /** Writes the changes in order of their keys, groups before days: the same order in which `APPEND` locks. */
  async write(client: PoolClient, organizationId: string): Promise<void> {
    if (this.#groups.size === 0) return
    const groups = [...this.#groups.values()]
    await client.query(ADD_TO_GROUPS, [
      organizationId,
      bigints(groups.map(({ of }) => of.dayStart)),
      texts(groups.map(({ of }) => of.reportId)),
      texts(groups.map(({ of }) => of.member)),
      texts(groups.map(({ reportName }) => reportName)),
      bigints(groups.map(({ messages }) => messages)),
      bigints(groups.map(({ credits }) => credits)),
    ])
    const days = [...Map.groupBy(groups, ({ of }) => of.dayStart)]
    await client.query(ADD_TO_DAYS, [
      organizationId,
      bigints(days.map(([dayStart]) => dayStart)),
      bigints(days.map(([, of]) => of.reduce((sum, { messages }) => sum + messages, 0))),
      bigints(days.map(([, of]) => of.reduce((sum, { credits }) => sum + credits, 0n))),
    ])
  }

  /** Sums are bigints because they can exceed 2^53. */
  #change(of: Counted, sign: 1 | -1): Change {
    const key = JSON.stringify([of.dayStart, of.reportId, of.member])
    const change = this.#groups.get(key) ?? { of, reportName: undefined, messages: 0, credits: 0n }
    this.#groups.set(key, change)
    change.messages += sign
    change.credits += BigInt(sign * of.credits)
    return change
  }
}

const ADD_TO_GROUPS = `
  INSERT INTO daily_group_total (organization_id, day_start, report_id, member, report_name, messages, credits_micros)
  SELECT $1, day_start, report_id, member, report_name, messages, credits_micros
  FROM unnest($2::bigint[], $3::text[], $4::text[], $5::text[], $6::bigint[], $7::bigint[])
    AS input (day_start, report_id, member, report_name, messages, credits_micros)
  ORDER BY day_start, report_id COLLATE "C", member COLLATE "C"
  ON CONFLICT (organization_id, day_start, report_id, member) DO UPDATE SET
    messages = daily_group_total.messages + excluded.messages,
    credits_micros = daily_group_total.credits_micros + excluded.credits_micros,
    report_name = coalesce(excluded.report_name, daily_group_total.report_name)`

const ADD_TO_DAYS = `
  INSERT INTO daily_total (organization_id, day_start, messages, credits_micros, version)
  SELECT $1, day_start, messages, credits_micros, 1
  FROM unnest($2::bigint[], $3::bigint[], $4::bigint[]) AS input (day_start, messages, credits_micros)
  ORDER BY day_start
  ON CONFLICT (organization_id, day_start) DO UPDATE SET
    messages = daily_total.messages + excluded.messages,
    credits_micros = daily_total.credits_micros + excluded.credits_micros,
    version = daily_total.version + 1`
