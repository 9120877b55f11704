/** Writes records and the totals that they add to, for one organization at a time. */
import type { PoolClient } from 'pg'
import type { AppendBatch, AppendOutcome, NewRecord } from '#metering/ledger.ts'
import { type Credits, credits } from '#model/credits.ts'
import type { Id } from '#model/report.ts'
import { isCanonicalTimestamp } from '#model/timestamp.ts'
import { byteStrings, numbers, texts } from './array-literals.ts'
import { Connection } from './connection.ts'
import { messageIdOf, NAMED, type Row, wholeNumber } from './rows.ts'

/** What is appended together: records of one or more batches of one organization. */
export type AppendGroup = Pick<AppendBatch, 'organizationId' | 'onChange'> & {
  readonly rows: readonly { readonly record: NewRecord; readonly recordedAt: number }[]
}

type GroupRow = AppendGroup['rows'][number]
type Held = { readonly digest: Uint8Array; readonly credits: Credits }
type Current = Held & {
  readonly revision: number
  readonly dayStart: number
  readonly reportId: string | null
  readonly member: string | null
  readonly timestamp: string | null
  readonly reportName: string | null
  readonly rateCardId: number
}

export class RecordWriter {
  readonly #connection: Connection
  readonly #rateCards = new Map<string, number>()

  constructor(connection: Connection) {
    this.#connection = connection
  }

  /** May be repeated: the key of a record keeps it from being counted twice. */
  async append(group: AppendGroup): Promise<readonly AppendOutcome[]> {
    for (const { record } of group.rows) await this.#rateCardId(record.rateCard)
    return this.#connection.repeatable((client) =>
      group.onChange === 'refuse' ? this.#insertAll(client, group) : this.#amendAll(client, group),
    )
  }

  /** One statement, and so one transaction. */
  async #insertAll(client: PoolClient, { organizationId, rows }: AppendGroup): Promise<readonly AppendOutcome[]> {
    const firsts = firstOfEach(rows)
    const inserted = await this.#insertNew(client, organizationId, [...firsts.values()])
    const others = [...firsts.keys()].filter((key) => !inserted.has(key))
    const held = others.length === 0 ? undefined : await currentOf(client, organizationId, others.map(idOfKey))
    return rows.map(({ record }, index): AppendOutcome => {
      const key = keyOf(record.messageId)
      const first = firsts.get(key)
      const isInserted = inserted.has(key)
      if (isInserted && first === rows[index]) return { status: 'accepted', credits: record.credits }
      const current: Held | undefined = isInserted ? first?.record : held?.get(key)
      if (current === undefined) throw new Error(`message ${key} was neither written nor found`)
      const isSame = Buffer.compare(current.digest, record.digest) === 0
      return { status: isSame ? 'duplicate' : 'conflict', credits: current.credits }
    })
  }

  /** One after the other, so that of one id each follows the one before. */
  #amendAll(client: PoolClient, { organizationId, rows }: AppendGroup): Promise<readonly AppendOutcome[]> {
    return Connection.transaction(client, async () => {
      const outcomes: AppendOutcome[] = []
      const firsts = firstOfEach(rows)
      const inserted = await this.#insertNew(client, organizationId, [...firsts.values()])
      const ids = [...firsts.keys()].map(idOfKey)
      const held = await currentOf(client, organizationId, ids, 'FOR UPDATE')
      for (const row of rows) {
        const { record } = row
        const key = keyOf(record.messageId)
        if (inserted.has(key) && firsts.get(key) === row) {
          outcomes.push({ status: 'accepted', credits: record.credits })
          continue
        }
        const current = held.get(key)
        if (current === undefined) throw new Error(`message ${key} was neither written nor found`)
        if (this.#isSameCharge(record, current)) {
          outcomes.push({ status: 'duplicate', credits: current.credits })
          continue
        }
        held.set(key, await this.#amend(client, organizationId, row, current))
        outcomes.push({ status: 'amended', credits: record.credits })
      }
      return outcomes
    })
  }

  /** Whether a record would be charged and shown as the one that is there. */
  #isSameCharge(record: NewRecord, current: Current): boolean {
    return (
      Buffer.compare(current.digest, record.digest) === 0 &&
      current.credits === record.credits &&
      current.reportName === (record.reportName ?? null) &&
      current.timestamp === writtenTimestamp(record) &&
      current.rateCardId === this.#rateCards.get(record.rateCard)
    )
  }

  async #amend(client: PoolClient, organizationId: string, row: GroupRow, current: Current): Promise<Current> {
    const { record } = row
    const revision = current.revision + 1
    const [number, name] = numberAndName(record.messageId)
    await this.#insertNew(client, organizationId, [row], revision)
    await client.query(
      `UPDATE usage_record SET superseded_by = $5
       WHERE organization_id = $1 AND message_number = $2 AND message_name = $3 AND revision = $4`,
      [organizationId, number, name, current.revision, revision],
    )
    await client.query(
      `UPDATE daily_total SET messages = messages - 1, credits_micros = credits_micros - $3, version = version + 1
       WHERE organization_id = $1 AND day_start = $2`,
      [organizationId, current.dayStart, current.credits],
    )
    await client.query(
      `UPDATE daily_group_total SET messages = messages - 1, credits_micros = credits_micros - $5
       WHERE organization_id = $1 AND day_start = $2 AND report_id = $3 AND member = $4`,
      [organizationId, current.dayStart, current.reportId ?? '', current.member ?? '', current.credits],
    )
    const { digest, credits: amount, dayStart, reportId, member, reportName = null } = record
    return {
      digest,
      credits: amount,
      revision,
      dayStart,
      reportId: reportId === undefined ? null : String(reportId),
      member: member ?? null,
      timestamp: writtenTimestamp(record),
      reportName,
      rateCardId: this.#rateCards.get(record.rateCard) as number,
    }
  }

  /**
   * Inserts what is new and adds it to the totals. Returns the keys of what was. Rows go in the order of their ids and
   * totals in that of their keys, so that two processes lock them in the same order.
   */
  async #insertNew(
    client: PoolClient,
    organizationId: string,
    unordered: readonly GroupRow[],
    revision = 0,
  ): Promise<ReadonlySet<string>> {
    const rows = unordered.toSorted((one, other) => compareIds(one.record.messageId, other.record.messageId))
    const records = rows.map(({ record }) => record)
    const ids = records.map(({ messageId }) => numberAndName(messageId))
    const { rows: inserted } = await client.query({
      name: 'append',
      text: APPEND,
      values: [
        organizationId,
        revision,
        `{${ids.map(([number]) => number).join(',')}}`,
        texts(ids.map(([, name]) => name)),
        numbers(records.map(({ at }) => at)),
        numbers(records.map(({ dayStart }) => dayStart)),
        numbers(records.map(({ credits: amount }) => amount)),
        numbers(rows.map(({ recordedAt }) => recordedAt)),
        numbers(records.map(({ rateCard }) => this.#rateCards.get(rateCard) as number)),
        texts(records.map((record) => writtenTimestamp(record) ?? undefined)),
        texts(records.map(({ member }) => member)),
        texts(records.map(({ reportId }) => (reportId === undefined ? undefined : String(reportId)))),
        texts(records.map(({ reportName }) => reportName)),
        byteStrings(records.map(({ measurement }) => measurement)),
        byteStrings(records.map(({ digest }) => digest)),
      ],
    })
    return new Set(inserted.map((row: Row) => keyOf(messageIdOf(row))))
  }

  async #rateCardId(version: string): Promise<number> {
    const known = this.#rateCards.get(version)
    if (known !== undefined) return known
    const id = await this.#connection.repeatable(async (client) => {
      for (;;) {
        const { rows } = await client.query('SELECT rate_card_id FROM rate_card WHERE version = $1', [version])
        if (rows[0] !== undefined) return rows[0].rate_card_id as number
        // Another process may take the number first: then there is nothing to insert, and the next round finds a free one.
        await client.query(
          `INSERT INTO rate_card (rate_card_id, version)
           SELECT coalesce(max(rate_card_id), 0) + 1, $1 FROM rate_card ON CONFLICT DO NOTHING`,
          [version],
        )
      }
    })
    this.#rateCards.set(version, id)
    return id
  }
}

/** The statements that change tables read only what the one before them returned: what they see of a table differs on Citus. */
const APPEND = `
  WITH added AS (
    INSERT INTO usage_record (organization_id, revision, message_number, message_name, at_ms, day_start, credits_micros,
      recorded_at, rate_card_id, timestamp, member, report_id, report_name, measurement, digest)
    SELECT $1, $2, message_number, message_name, at_ms, day_start, credits_micros, recorded_at, rate_card_id, timestamp, member,
      report_id, report_name, measurement, digest
    FROM unnest($3::bigint[], $4::text[], $5::bigint[], $6::bigint[], $7::bigint[], $8::bigint[], $9::smallint[], $10::text[],
      $11::text[], $12::text[], $13::text[], $14::bytea[], $15::bytea[])
      AS input (message_number, message_name, at_ms, day_start, credits_micros, recorded_at, rate_card_id, timestamp, member,
        report_id, report_name, measurement, digest)
    ON CONFLICT (organization_id, message_number, message_name, revision) DO NOTHING
    RETURNING message_number, message_name, day_start, report_id, member, report_name, credits_micros
  ), by_day AS (
    INSERT INTO daily_total (organization_id, day_start, messages, credits_micros, version)
    SELECT $1, day_start, count(*), sum(credits_micros)::bigint, 1 FROM added GROUP BY day_start ORDER BY day_start
    ON CONFLICT (organization_id, day_start) DO UPDATE SET
      messages = daily_total.messages + excluded.messages,
      credits_micros = daily_total.credits_micros + excluded.credits_micros,
      version = daily_total.version + 1
  ), by_group AS (
    INSERT INTO daily_group_total (organization_id, day_start, report_id, member, report_name, messages, credits_micros)
    SELECT $1, day_start, coalesce(report_id, ''), coalesce(member, ''), max(report_name), count(*), sum(credits_micros)::bigint
    FROM added GROUP BY 2, 3, 4 ORDER BY 2, 3, 4
    ON CONFLICT (organization_id, day_start, report_id, member) DO UPDATE SET
      messages = daily_group_total.messages + excluded.messages,
      credits_micros = daily_group_total.credits_micros + excluded.credits_micros,
      report_name = coalesce(excluded.report_name, daily_group_total.report_name)
  )
  SELECT message_number, message_name FROM added`

const currentOf = async (
  client: PoolClient,
  organizationId: string,
  ids: readonly Id[],
  lock: '' | 'FOR UPDATE' = '',
): Promise<Map<string, Current>> => {
  const pairs = ids.map(numberAndName)
  const { rows } = await client.query(
    `SELECT message_number, message_name, revision, day_start, report_id, member, credits_micros, digest, timestamp,
       report_name, rate_card_id
     FROM usage_record
     WHERE organization_id = $1 AND superseded_by IS NULL
       AND (message_number, message_name) IN (SELECT * FROM unnest($2::bigint[], $3::text[]))
     ORDER BY message_number, message_name ${lock}`,
    [organizationId, `{${pairs.map(([number]) => number).join(',')}}`, texts(pairs.map(([, name]) => name))],
  )
  return new Map(rows.map((row: Row) => [keyOf(messageIdOf(row)), toCurrent(row)]))
}

const toCurrent = (row: Row): Current => ({
  digest: row['digest'] as Uint8Array,
  credits: credits(wholeNumber(row['credits_micros'])),
  revision: row['revision'] as number,
  dayStart: wholeNumber(row['day_start']),
  reportId: row['report_id'] as string | null,
  member: row['member'] as string | null,
  timestamp: row['timestamp'] as string | null,
  reportName: row['report_name'] as string | null,
  rateCardId: row['rate_card_id'] as number,
})

/** As the column has it: null for the canonical form of the instant. */
const writtenTimestamp = ({ timestamp, at }: NewRecord): string | null =>
  isCanonicalTimestamp(timestamp, at) ? null : timestamp

const firstOfEach = (rows: readonly GroupRow[]): ReadonlyMap<string, GroupRow> => {
  const firsts = new Map<string, GroupRow>()
  for (const row of rows) {
    const key = keyOf(row.record.messageId)
    if (!firsts.has(key)) firsts.set(key, row)
  }
  return firsts
}

/** Tells integers from texts. */
const keyOf = (id: Id): string => (typeof id === 'number' ? `#${id}` : `"${id}`)

const idOfKey = (key: string): Id => (key.startsWith('#') ? Number(key.slice(1)) : key.slice(1))

/** As the columns have it. 2^53 is written out: it is no safe integer. */
export const numberAndName = (id: Id): readonly [string, string] =>
  typeof id === 'number' ? [String(id), ''] : [String(NAMED), id]

const compareIds = (one: Id, other: Id): number => {
  if (typeof one === 'number') return typeof other === 'number' ? one - other : -1
  if (typeof other === 'number') return 1
  return one < other ? -1 : one > other ? 1 : 0
}
