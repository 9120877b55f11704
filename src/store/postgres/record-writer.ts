/** Appends records and updates their totals, for one organization at a time. */
import type { PoolClient } from 'pg'
import { StoreError } from '#model/errors.ts'
import type { EpochMs } from '#model/organization.ts'
import type { Id } from '#model/report.ts'
import { canonicalTimestamp } from '#model/timestamp.ts'
import { OTHER_COLUMNS, Others, reportedCell } from '../shared/others.ts'
import { CARDS_VERSION } from '../shared/rate-cards.ts'
import { CELL_COLUMNS, toCell, wholeNumber } from '../shared/rows.ts'
import type { Row } from '../shared/steps.ts'
import { Cells } from './cells.ts'
import { type Connection, codeOf, NotYetVisible, UNIQUE_VIOLATION } from './connection.ts'
import { type Milestone, usageMilestone } from './milestone.ts'
import { findPlaces } from './places.ts'
import { messageIdOf } from './rows.ts'
import {
  type AppendGroup,
  firstCharges,
  type GroupOutcomes,
  type Held,
  type PlaceFinder,
  settleAll,
} from './settling.ts'
import { CALL, idColumns, statementFor, type Writing, writeValues } from './write-statement.ts'

const FOREIGN_KEY_VIOLATION = '23503'
const MARKS_MAX = 100_000

/** `function`: in one call, which a node of a Citus cluster runs as a whole. */
export type AppendsBy = 'statement' | 'function'

type Options = {
  readonly appendsBy?: AppendsBy
  readonly cells?: Cells
  readonly others?: Others
  readonly hasUsage?: Milestone
}

export class RecordWriter {
  readonly #connection: Connection
  readonly #appendsBy: AppendsBy
  readonly #cells: Cells
  readonly #others: Others
  readonly #hasUsage: Milestone
  /** The mark of each organization, as last read. The statement writes nothing if it has moved. */
  readonly #marks = new Map<string, EpochMs>()
  /** Organizations whose latest append had messages that are charged already. More may follow, so their next append looks first. */
  readonly #repeating = new Set<string>()

  constructor(
    connection: Connection,
    { appendsBy = 'statement', cells = new Cells(), others = new Others(), hasUsage = usageMilestone() }: Options = {},
  ) {
    this.#connection = connection
    this.#appendsBy = appendsBy
    this.#cells = cells
    this.#others = others
    this.#hasUsage = hasUsage
  }

  /** Safe to repeat: a record's key keeps it from being counted twice. */
  append(group: AppendGroup, deadline = this.#connection.deadline()): Promise<GroupOutcomes | 'other-cards'> {
    return this.#connection.repeatable((client) => this.#append(client, group), deadline)
  }

  /**
   * Inserts all rows as new messages, because most are. If one is not, this reads what is charged already, decides about each row,
   * and writes what follows. If another process has meanwhile written the same revision of a message, its key is taken, and all of
   * this is repeated.
   */
  async #append(client: PoolClient, group: AppendGroup): Promise<GroupOutcomes | 'other-cards'> {
    const { organizationId, onChange } = group
    for (let hasForgotten = false; ; ) {
      const isLooking = onChange === 'price' || onChange === 'recharge' || this.#repeating.has(organizationId)
      try {
        if (!this.#hasUsage.isKnown) await this.#connection.autocommit(client, () => this.#hasUsage.reach(client))
        let mark = this.#marks.get(organizationId)
        if (mark === undefined) {
          const account = await this.#readAccount(client, organizationId)
          if (isByOthers(group, account.cardsVersion)) return 'other-cards'
          mark = account.mark
        }
        const placeOf = await this.#findPlaces(client, group, mark)
        const outcomes = await ((isLooking ? undefined : this.#insert(client, group, placeOf, mark)) ??
          this.#settle(client, group, placeOf, mark))
        if (outcomes !== undefined) return outcomes
        this.#marks.delete(organizationId)
      } catch (error) {
        const code = codeOf(error)
        if (code === UNIQUE_VIOLATION) {
          this.#repeating.add(organizationId)
          if (isLooking) throw new NotYetVisible('another process wrote the same messages at the same time')
        } else if (code === FOREIGN_KEY_VIOLATION && !hasForgotten) {
          // The database was replaced by an older one, which does not have all cells.
          this.#cells.forget(organizationId)
          hasForgotten = true
        } else throw error
      }
    }
  }

  #findPlaces(client: PoolClient, group: AppendGroup, closedUntil: EpochMs): Promise<PlaceFinder> {
    const { organizationId } = group
    const connection = this.#connection
    return findPlaces(group, {
      others: this.#others,
      closedUntil,
      read: async ({ sql, values }) =>
        (await connection.autocommit(client, () => client.query(sql, [...values]))).rows as readonly Row[],
      idsOf: (cells) =>
        this.#cells.idsOf(organizationId, cells) ??
        connection.autocommit(client, () => this.#cells.learn(client, organizationId, cells)),
    })
  }

  /**
   * Inserts all rows as first charges; undefined if some cannot be. Resolves to undefined if the account has changed. Not async, so
   * that nothing of the rows but the values for the statement is kept until it is done.
   */
  #insert(
    client: PoolClient,
    group: AppendGroup,
    placeOf: PlaceFinder,
    mark: EpochMs,
  ): Promise<GroupOutcomes | undefined> | undefined {
    const records = firstCharges(group, placeOf, mark)
    return (
      records &&
      this.#write(client, group, mark, { records, superseded: [] }).then((isWritten) =>
        isWritten ? group.batches.map(() => undefined) : undefined,
      )
    )
  }

  /** Resolves to undefined if nothing was written because the account has changed. */
  async #settle(
    client: PoolClient,
    group: AppendGroup,
    placeOf: PlaceFinder,
    mark: EpochMs,
  ): Promise<GroupOutcomes | 'other-cards' | undefined> {
    const { organizationId, batches } = group
    const ids = new Set(batches.flatMap(({ priced }) => priced.messageIds))
    const { rows } = await this.#connection.autocommit(client, () =>
      client.query(HELD, [organizationId, ...idColumns([...ids])]),
    )
    if (rows.length === 0) this.#repeating.delete(organizationId)
    const held = new Map<Id, Held[]>()
    for (const row of rows as readonly Row[]) {
      const id = messageIdOf(row)
      const before = held.get(id)
      if (before === undefined) held.set(id, [toHeld(row)])
      else before.push(toHeld(row))
    }
    const { outcomes, ...writing } = settleAll(group, placeOf, held, mark)
    if (writing.records.length > 0) return (await this.#write(client, group, mark, writing)) ? outcomes : undefined
    // Everything is charged already, so there are rows.
    return isByOthers(group, wholeNumber(rows[0]?.cards_version)) ? 'other-cards' : outcomes
  }

  /** Resolves to false if nothing was written because the account has changed. */
  #write(
    client: PoolClient,
    { organizationId, cardsVersion }: AppendGroup,
    mark: EpochMs,
    writing: Writing,
  ): Promise<boolean> {
    const { name, text, values } = this.#appendsBy === 'function' ? CALL : statementFor(writing)
    const statement = {
      // Named statements are prepared per session. Behind a pooler, the next transaction may run in another session, where the
      // statement is missing or already exists.
      ...(this.#connection.isDirect(client) && { name }),
      text,
      values: [...writeValues(organizationId, mark, writing).slice(0, values), cardsVersion ?? null],
    }
    return this.#connection.autocommit(client, async () => {
      const { rows, rowCount } = await client.query(statement)
      return rows[0]?.is_written ?? rowCount !== 0
    })
  }

  async #readAccount(client: PoolClient, organizationId: string): Promise<Account> {
    const find = () => client.query(ACCOUNT, [organizationId])
    const { rows } = await this.#connection.autocommit(client, async () => {
      const found = await find()
      if (found.rowCount !== 0) return found
      await client.query(ADD_ACCOUNT, [organizationId])
      return find()
    })
    if (rows[0] === undefined) throw new StoreError(`there is no organization ${JSON.stringify(organizationId)}`)
    const account = { mark: wholeNumber(rows[0].closed_until), cardsVersion: wholeNumber(rows[0].cards_version) }
    if (this.#marks.size >= MARKS_MAX) this.#marks.clear()
    this.#marks.set(organizationId, account.mark)
    return account
  }
}

type Account = { readonly mark: EpochMs; readonly cardsVersion: number }

/** Whether a group was priced by other cards than those in force. */
const isByOthers = ({ cardsVersion }: AppendGroup, present: number): boolean =>
  cardsVersion !== undefined && cardsVersion !== present

const ACCOUNT = `SELECT closed_until, ${CARDS_VERSION} AS cards_version FROM account WHERE organization_id = $1`

/** For an organization that a program of an older release created after the migration. */
export const ADD_ACCOUNT = `
  INSERT INTO account (organization_id) SELECT organization_id FROM organization WHERE organization_id = $1
  ON CONFLICT (organization_id) DO UPDATE SET closed_until = account.closed_until RETURNING closed_until`

/**
 * `LATERAL … OFFSET 0` makes PostgreSQL look up each message by its key. As a join, whose size it cannot estimate before it has
 * statistics of the organization, it would read all records of it.
 */
const HELD = `
  SELECT charge.*, ${CELL_COLUMNS.join(', ')},
    (SELECT ${CARDS_VERSION} FROM account WHERE organization_id = $1) AS cards_version
  FROM unnest($2::bigint[], $3::text[]) AS wanted (number, name)
  CROSS JOIN LATERAL (
    SELECT message_number, message_name, revision, at_ms, own_at_ms, day_start, credits_micros, timestamp, digest, cell_id,
      ${OTHER_COLUMNS}
    FROM record
    WHERE organization_id = $1 AND message_number = wanted.number AND message_name = wanted.name AND superseded_by IS NULL
    OFFSET 0
  ) AS charge
  CROSS JOIN LATERAL (
    SELECT ${CELL_COLUMNS.join(', ')} FROM cell
    WHERE organization_id = $1 AND cell_id = charge.cell_id OFFSET 0
  ) AS cell
  ORDER BY revision`

const toHeld = (row: Row): Held => ({
  revision: row['revision'] as number,
  credits: row['credits_micros'] === null ? undefined : wholeNumber(row['credits_micros']),
  dayStart: wholeNumber(row['day_start']),
  timestamp: (row['timestamp'] as string | null) ?? canonicalTimestamp(wholeNumber(row['own_at_ms'] ?? row['at_ms'])),
  cell: reportedCell(row, toCell(row)),
  cellId: BigInt(row['cell_id'] as string),
  digest: row['digest'] as Uint8Array,
})
