/** Writes records and updates their totals, for one organization at a time. */
import type { PoolClient } from 'pg'
import type { AppendBatch, AppendOutcome, NewRecord } from '#ledger/ledger.ts'
import type { MonotonicMs } from '#model/clock.ts'
import { type Credits, credits } from '#model/credits.ts'
import type { Id } from '#model/report.ts'
import { canonicalTimestamp, isCanonicalTimestamp } from '#model/timestamp.ts'
import { bigints, byteStrings, integers, smallints, texts } from './binary-arrays.ts'
import { type Connection, NotYetVisible } from './connection.ts'
import { messageIdOf, NAMED, type Row, wholeNumber } from './rows.ts'
import { type Counted, TotalChanges } from './total-changes.ts'

/** Records that are written together, from one or more batches of the same organization. */
export type AppendGroup = Pick<AppendBatch, 'organizationId' | 'onChange'> & {
  readonly rows: readonly { readonly record: NewRecord; readonly recordedAt: number }[]
}

type GroupRow = AppendGroup['rows'][number]
type Held = { readonly digest: Uint8Array; readonly credits: Credits }
type Current = Held &
  Counted & {
    readonly revision: number
    readonly timestamp: string
    readonly reportName: string | undefined
    readonly rateCard: string
  }

export class RecordWriter {
  readonly #connection: Connection
  readonly #rateCards = new Map<string, number>()

  constructor(connection: Connection) {
    this.#connection = connection
  }

  /**
   * Safe to repeat: a record's key keeps it from being counted twice.
   *
   * All writers lock in the same order, or they could deadlock: if one transaction wrote message 1 and then 2, and another 2 and
   * then 1, each would wait for the other. The order is: new records by id, changed messages by id, group totals by key, day
   * totals by day.
   */
  async append(group: AppendGroup, deadline = this.#connection.deadline()): Promise<readonly AppendOutcome[]> {
    for (const { record } of group.rows) await this.#rateCardId(record.rateCard, deadline)
    return this.#connection.repeatable(
      (client) => (group.onChange === 'refuse' ? this.#insertAll(client, group) : this.#amendAll(client, group)),
      deadline,
    )
  }

  /** Inserts records and updates totals in one statement, which is one transaction. */
  async #insertAll(client: PoolClient, { organizationId, rows }: AppendGroup): Promise<readonly AppendOutcome[]> {
    const firsts = firstOfEach(rows)
    const inserted = await this.#connection.autocommit(client, () =>
      this.#insert(client, APPEND, organizationId, [...firsts.values()]),
    )
    const others = [...firsts.keys()].filter((key) => !inserted.has(key))
    const held =
      others.length === 0
        ? undefined
        : await this.#connection.autocommit(client, () => currentOf(client, organizationId, others.map(idOfKey)))
    return rows.map(({ record }, index): AppendOutcome => {
      const key = keyOf(record.messageId)
      const first = firsts.get(key)
      const isInserted = inserted.has(key)
      if (isInserted && first === rows[index]) return { status: 'accepted', credits: record.credits }
      const current: Held = isInserted && first !== undefined ? first.record : found(held?.get(key), record.messageId)
      return { status: isSameContent(current, record) ? 'duplicate' : 'conflict', credits: current.credits }
    })
  }

  #amendAll(client: PoolClient, { organizationId, rows }: AppendGroup): Promise<readonly AppendOutcome[]> {
    return this.#connection.transaction(client, async () => {
      const firsts = firstOfEach(rows)
      const inserted = await this.#insert(client, INSERT_ONLY, organizationId, [...firsts.values()])
      const others = [...firsts.keys()].filter((key) => !inserted.has(key)).map(idOfKey)
      const held = others.length === 0 ? new Map<string, Current>() : await currentOf(client, organizationId, others)
      const differs = ({ record }: GroupRow): boolean => {
        const current = held.get(keyOf(record.messageId))
        return current === undefined || !isSameCharge(current, record)
      }
      const changing = new Set(rows.filter(differs).map(({ record }) => keyOf(record.messageId)))
      const locked = [...changing].filter((key) => !inserted.has(key)).map(idOfKey)
      if (locked.length > 0) {
        // Another process may have changed these messages since `held` was read. Once they are locked, a new statement sees
        // their current state.
        await lockMessages(client, organizationId, locked)
        for (const [key, current] of await currentOf(client, organizationId, locked)) held.set(key, current)
      }
      const amendment = new Amendment()
      const outcomes = rows.map((row) => {
        const key = keyOf(row.record.messageId)
        return inserted.has(key) && firsts.get(key) === row ? amendment.accept(row, held) : amendment.follow(row, held)
      })
      await this.#write(client, organizationId, amendment)
      return outcomes
    })
  }

  async #write(client: PoolClient, organizationId: string, amendment: Amendment): Promise<void> {
    for (const [revision, rows] of amendment.rowsByRevision) {
      const written = await this.#insert(client, INSERT_ONLY, organizationId, rows, revision)
      if (written.size < rows.length)
        throw new NotYetVisible('another process amended the same message at the same time')
    }
    if (amendment.superseded.length > 0) await supersede(client, organizationId, amendment.superseded)
    await amendment.totals.write(client, organizationId)
  }

  /** Inserts the records that are new, in order of their ids, and returns the keys of the inserted records. */
  async #insert(
    client: PoolClient,
    { name, text }: Statement,
    organizationId: string,
    unordered: readonly GroupRow[],
    revision = 0,
  ): Promise<ReadonlySet<string>> {
    const rows = unordered.toSorted((one, other) => compareIds(one.record.messageId, other.record.messageId))
    const records = rows.map(({ record }) => record)
    const ids = records.map(({ messageId }) => numberAndName(messageId))
    const { rows: inserted } = await client.query({
      // Named statements are prepared per session. Behind a pooler, the next transaction may run in another session, where the
      // statement is missing or already exists.
      ...(this.#connection.isDirect(client) && { name }),
      text,
      values: [
        organizationId,
        revision,
        bigints(ids.map(([number]) => number)),
        texts(ids.map(([, name]) => name)),
        bigints(records.map(({ at }) => at)),
        bigints(records.map(({ dayStart }) => dayStart)),
        bigints(records.map(({ credits: amount }) => amount)),
        bigints(rows.map(({ recordedAt }) => recordedAt)),
        smallints(records.map(({ rateCard }) => this.#rateCards.get(rateCard) as number)),
        texts(records.map(({ timestamp, at }) => (isCanonicalTimestamp(timestamp, at) ? undefined : timestamp))),
        texts(records.map(({ member }) => member)),
        texts(records.map(({ reportId }) => (reportId === undefined ? undefined : String(reportId)))),
        texts(records.map(({ reportName }) => reportName)),
        byteStrings(records.map(({ measurement }) => measurement)),
        byteStrings(records.map(({ digest }) => digest)),
      ],
    })
    return new Set(inserted.map((row: Row) => keyOf(messageIdOf(row))))
  }

  async #rateCardId(version: string, deadline: MonotonicMs): Promise<number> {
    const known = this.#rateCards.get(version)
    if (known !== undefined) return known
    const find = async (client: PoolClient): Promise<number> => {
      for (;;) {
        const { rows } = await client.query('SELECT rate_card_id FROM rate_card WHERE version = $1', [version])
        if (rows[0] !== undefined) return rows[0].rate_card_id as number
        // If another process takes the number first, nothing is inserted, and the next iteration tries the next number.
        await client.query(
          `INSERT INTO rate_card (rate_card_id, version)
           SELECT coalesce(max(rate_card_id), 0) + 1, $1 FROM rate_card ON CONFLICT DO NOTHING`,
          [version],
        )
      }
    }
    const id = await this.#connection.repeatable(
      (client) => this.#connection.autocommit(client, () => find(client)),
      deadline,
    )
    this.#rateCards.set(version, id)
    return id
  }
}

/** Collects the changes that a group makes to existing messages, before any of them is written. */
class Amendment {
  readonly rowsByRevision = new Map<number, GroupRow[]>()
  readonly superseded: Superseded[] = []
  readonly totals = new TotalChanges()

  /** Adds a message that was new. */
  accept(row: GroupRow, held: Map<string, Current>): AppendOutcome {
    this.#hold(row, 0, held)
    return { status: 'accepted', credits: row.record.credits }
  }

  /** Adds a record of an existing message. Several records of one message in a group supersede each other in order. */
  follow(row: GroupRow, held: Map<string, Current>): AppendOutcome {
    const { record } = row
    const current = found(held.get(keyOf(record.messageId)), record.messageId)
    if (isSameCharge(current, record)) return { status: 'duplicate', credits: current.credits }
    const revision = current.revision + 1
    const rows = this.rowsByRevision.get(revision) ?? []
    this.rowsByRevision.set(revision, rows)
    rows.push(row)
    this.superseded.push({ id: record.messageId, revision: current.revision })
    this.totals.subtract(current)
    this.#hold(row, revision, held)
    return { status: 'amended', credits: record.credits }
  }

  #hold({ record }: GroupRow, revision: number, held: Map<string, Current>): void {
    const { reportId, reportName, member = '' } = record
    const current: Current = { ...record, revision, reportId: String(reportId ?? ''), reportName, member }
    this.totals.add(current, reportName)
    held.set(keyOf(record.messageId), current)
  }
}

type Superseded = { readonly id: Id; readonly revision: number }
type Statement = { readonly name: string; readonly text: string }

const isSameContent = (current: Held, record: NewRecord): boolean => Buffer.compare(current.digest, record.digest) === 0

/** Whether a record equals the current one in its content, its charge and everything else that is shown of it. */
const isSameCharge = (current: Current, record: NewRecord): boolean =>
  isSameContent(current, record) &&
  current.credits === record.credits &&
  current.reportName === record.reportName &&
  current.timestamp === record.timestamp &&
  current.rateCard === record.rateCard

/** On Citus, a transaction across nodes can become visible a moment after it has committed. */
const found = (current: Current | undefined, id: Id): Current => {
  if (current === undefined) throw new NotYetVisible(`message ${JSON.stringify(id)} was neither inserted nor found`)
  return current
}

const INSERT = `
    INSERT INTO usage_record (organization_id, revision, message_number, message_name, at_ms, day_start, credits_micros,
      recorded_at, rate_card_id, timestamp, member, report_id, report_name, measurement, digest)
    SELECT $1, $2, message_number, message_name, at_ms, day_start, credits_micros, recorded_at, rate_card_id, timestamp, member,
      report_id, report_name, measurement, digest
    FROM unnest($3::bigint[], $4::text[], $5::bigint[], $6::bigint[], $7::bigint[], $8::bigint[], $9::smallint[], $10::text[],
      $11::text[], $12::text[], $13::text[], $14::bytea[], $15::bytea[])
      AS input (message_number, message_name, at_ms, day_start, credits_micros, recorded_at, rate_card_id, timestamp, member,
        report_id, report_name, measurement, digest)
    ON CONFLICT (organization_id, message_number, message_name, revision) DO NOTHING`

const INSERT_ONLY: Statement = { name: 'insert', text: `${INSERT} RETURNING message_number, message_name` }

/**
 * `by_day` and `by_group` read only what `added` returned, never a table: on Citus, they could see a table in different states.
 * PostgreSQL completes such parts from last to first, so group totals are locked before day totals, as everywhere else.
 */
const APPEND: Statement = {
  name: 'append',
  text: `
  WITH added AS (${INSERT}
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
  SELECT message_number, message_name FROM added`,
}

const currentOf = async (
  client: PoolClient,
  organizationId: string,
  ids: readonly Id[],
): Promise<Map<string, Current>> => {
  const { rows } = await client.query(
    `SELECT message_number, message_name, revision, at_ms, day_start, report_id, report_name, member, credits_micros, digest,
       timestamp, rate_card.version AS rate_card
     FROM usage_record JOIN rate_card USING (rate_card_id)
     WHERE organization_id = $1 AND superseded_by IS NULL
       AND (message_number, message_name) IN (SELECT * FROM unnest($2::bigint[], $3::text[]))`,
    [organizationId, ...idColumns(ids)],
  )
  return new Map(rows.map((row: Row) => [keyOf(messageIdOf(row)), toCurrent(row)]))
}

/**
 * Locks the first record of each message, revision 0, which is never removed. Only the transaction that holds it may add a
 * revision: if two processes amend message 7 at once, the second waits here and then sees the first one's revision.
 */
const lockMessages = async (client: PoolClient, organizationId: string, ids: readonly Id[]): Promise<void> => {
  await client.query(
    `SELECT 1 FROM usage_record
     WHERE organization_id = $1 AND revision = 0
       AND (message_number, message_name) IN (SELECT * FROM unnest($2::bigint[], $3::text[]))
     ORDER BY message_number, message_name FOR UPDATE`,
    [organizationId, ...idColumns(ids)],
  )
}

const supersede = async (client: PoolClient, organizationId: string, records: readonly Superseded[]): Promise<void> => {
  await client.query(
    `UPDATE usage_record AS record SET superseded_by = input.revision + 1
     FROM unnest($2::bigint[], $3::text[], $4::integer[]) AS input (message_number, message_name, revision)
     WHERE record.organization_id = $1 AND record.message_number = input.message_number
       AND record.message_name = input.message_name AND record.revision = input.revision`,
    [organizationId, ...idColumns(records.map(({ id }) => id)), integers(records.map(({ revision }) => revision))],
  )
}

const toCurrent = (row: Row): Current => ({
  digest: row['digest'] as Uint8Array,
  credits: credits(wholeNumber(row['credits_micros'])),
  revision: row['revision'] as number,
  dayStart: wholeNumber(row['day_start']),
  reportId: (row['report_id'] as string | null) ?? '',
  reportName: (row['report_name'] as string | null) ?? undefined,
  member: (row['member'] as string | null) ?? '',
  timestamp: (row['timestamp'] as string | null) ?? canonicalTimestamp(wholeNumber(row['at_ms'])),
  rateCard: row['rate_card'] as string,
})

const firstOfEach = (rows: readonly GroupRow[]): ReadonlyMap<string, GroupRow> => {
  const firsts = new Map<string, GroupRow>()
  for (const row of rows) {
    const key = keyOf(row.record.messageId)
    if (!firsts.has(key)) firsts.set(key, row)
  }
  return firsts
}

/** A map key in which the integer 7 (`#7`) differs from the text "7" (`"7`). */
const keyOf = (id: Id): string => (typeof id === 'number' ? `#${id}` : `"${id}`)

const idOfKey = (key: string): Id => (key.startsWith('#') ? Number(key.slice(1)) : key.slice(1))

/** The columns `message_number` and `message_name` of an id. */
export const numberAndName = (id: Id): readonly [number, string] => (typeof id === 'number' ? [id, ''] : [NAMED, id])

const idColumns = (ids: readonly Id[]): readonly [Buffer, Buffer] => {
  const pairs = ids.map(numberAndName)
  return [bigints(pairs.map(([number]) => number)), texts(pairs.map(([, name]) => name))]
}

const compareIds = (one: Id, other: Id): number => {
  if (typeof one === 'number') return typeof other === 'number' ? one - other : -1
  if (typeof other === 'number') return 1
  return one < other ? -1 : one > other ? 1 : 0
}
