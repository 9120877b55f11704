/** Writes records and updates their totals. Runs inside the caller's transaction. */
import type { DatabaseSync, SQLInputValue } from 'node:sqlite'
import { type Counted, settle } from '#deciding/appending.ts'
import type { AppendAnswer, AppendBatch, AppendOutcome } from '#ledger/ledger.ts'
import {
  acceptedAt,
  type CountedDay,
  cellAt,
  creditsAt,
  dayAt,
  digestAt,
  factsAt,
  type PricedBatch,
  sumsOf,
} from '#ledger/priced-batch.ts'
import { CALENDAR_BEGINS, type EpochMs } from '#model/organization.ts'
import { canonicalTimestamp } from '#model/timestamp.ts'
import { isOther, type Others, reportedCell } from '../shared/others.ts'
import { CARDS_VERSION } from '../shared/rate-cards.ts'
import { addTo, emptySum, negated, type Sum, sumOfOne } from '../shared/sums.ts'
import type { Cells } from './cells.ts'
import { ADD_NAMES, FIND_NAMES } from './other-names.ts'
import { type Places, Placing } from './places.ts'

/** How many rows one INSERT writes. */
const ROWS_PER_INSERT = 50

const COLUMNS = `organization_id, at_ms, message_id, revision, day_start, cell_id, credits_micros, facts, digest,
  recorded_at, timestamp, own_at_ms`
const VALUES = '(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)'

/** What is recorded of a row: as priced, unless it is an amendment or came after its period was closed. */
type Entry = {
  readonly revision: number
  readonly at: EpochMs
  readonly day: CountedDay
  /** Undefined if the message is unpriced. */
  readonly credits: number | undefined
  readonly ownAt: EpochMs | null
}

type Batch = AppendBatch & { readonly closedUntil: EpochMs; readonly places: Places }

export class RecordWriter {
  readonly #cells: Cells
  readonly #others: Others
  readonly #placing: Placing
  readonly #insertMany
  readonly #insert
  readonly #addNames
  readonly #findNames
  readonly #counted
  readonly #supersede
  readonly #account
  readonly #totals: Totals

  constructor(database: DatabaseSync, cells: Cells, others: Others) {
    this.#cells = cells
    this.#others = others
    this.#placing = new Placing(database, cells, others)
    // Without ON CONFLICT: if one row exists, the whole statement fails, and its rows are then written one by one.
    this.#insertMany = database.prepare(
      `INSERT INTO record (${COLUMNS}) VALUES ${Array.from({ length: ROWS_PER_INSERT }, () => VALUES).join(', ')}`,
    )
    this.#insert = database.prepare(`INSERT INTO record (${COLUMNS}) VALUES ${VALUES} ON CONFLICT DO NOTHING`)
    this.#addNames = database.prepare(ADD_NAMES)
    this.#findNames = database.prepare(FIND_NAMES)
    this.#counted = database.prepare(`
      SELECT revision, at_ms, own_at_ms, day_start, cell_id, credits_micros, timestamp, digest FROM record
      WHERE organization_id = ? AND message_id = ? AND superseded_by IS NULL ORDER BY revision`)
    this.#supersede = database.prepare(`
      UPDATE record SET superseded_by = ? WHERE organization_id = ? AND message_id = ? AND revision = ?`)
    this.#account = database.prepare(`
      SELECT closed_until, ${CARDS_VERSION} AS cards_version FROM account WHERE organization_id = ?`)
    this.#totals = new Totals(database)
  }

  /** Undefined if all rows were accepted. */
  append(appended: AppendBatch): AppendAnswer {
    const { organizationId, priced, cardsVersion } = appended
    const account = this.#account.get(organizationId)
    if (cardsVersion !== undefined && cardsVersion !== account?.['cards_version']) return 'other-cards'
    const closedUntil = (account?.['closed_until'] as EpochMs | undefined) ?? CALENDAR_BEGINS
    const places = this.#placing.of(organizationId, priced.cells)
    const batch: Batch = { ...appended, closedUntil, places }
    const inserted = this.#insertNew(batch)
    for (const { day, cell, ...sum } of sumsOf(priced, (row) => inserted?.[row] !== false)) {
      this.#totals.add(day, places.idOf(cell, day.periodStart), sum)
    }
    const outcomes = inserted?.map(
      (isInserted, row): AppendOutcome => (isInserted ? acceptedAt(priced, row) : this.#settle(batch, row)),
    )
    this.#totals.write(organizationId)
    return outcomes
  }

  /** Inserts the rows of new messages. Returns which rows were inserted, or undefined if all were. */
  #insertNew(batch: Batch): boolean[] | undefined {
    const { priced } = batch
    // If any row comes from a closed period, all are decided about one by one: of the same id, the first counts.
    const isLate = priced.days.some(({ start }) => start < batch.closedUntil)
    const isKnown = batch.onChange === 'price' || batch.onChange === 'recharge'
    if (isLate || isKnown) return Array.from({ length: priced.count }, () => false)
    let inserted: boolean[] | undefined
    for (let from = 0; from < priced.count; from += ROWS_PER_INSERT) {
      const to = Math.min(from + ROWS_PER_INSERT, priced.count)
      if (to - from === ROWS_PER_INSERT && this.#insertAllOf(batch, from, to)) continue
      for (let row = from; row < to; row++) {
        if (this.#insertRow(batch, row, entryOf(batch, row))) continue
        inserted ??= Array.from({ length: priced.count }, () => true)
        inserted[row] = false
      }
    }
    return inserted
  }

  #insertAllOf(batch: Batch, from: number, to: number): boolean {
    const values: SQLInputValue[] = []
    for (let row = from; row < to; row++) pushValues(values, batch, row, entryOf(batch, row))
    try {
      this.#insertMany.run(...values)
    } catch (error) {
      if (isTaken(error)) return false
      throw error
    }
    if (batch.places.hasOthers) {
      for (let row = from; row < to; row++) this.#addNamesOf(batch, row, entryOf(batch, row))
    }
    return true
  }

  #insertRow(batch: Batch, row: number, entry: Entry): boolean {
    const values: SQLInputValue[] = []
    pushValues(values, batch, row, entry)
    if (this.#insert.run(...values).changes === 0) return false
    this.#addNamesOf(batch, row, entry)
    return true
  }

  #addNamesOf({ organizationId, priced, places }: Batch, row: number, { at, revision, day }: Entry): void {
    const others = places.othersOf(priced.cellOf[row] as number, day.periodStart)
    if (others === undefined) return
    const names = [others.model ?? null, others.feature ?? null]
    this.#addNames.run(organizationId, at, idAt(priced, row), revision, ...names)
  }

  /** Decides about a message that the ledger has already, or whose period is closed. */
  #settle(batch: Batch, row: number): AppendOutcome {
    const { organizationId, priced, closedUntil } = batch
    const counted = this.#countedOf(batch, row)
    const at = priced.at[row] as EpochMs
    const reported = {
      credits: creditsAt(priced, row),
      dayStart: dayAt(priced, row).start,
      timestamp: priced.timestamps[row] ?? canonicalTimestamp(at),
      cell: cellAt(priced, row),
      digest: digestAt(priced, row),
    }
    const settled = settle(counted, reported, { ...batch, pricedFrom: batch.revisions?.[row] })
    if (!('charged' in settled)) return settled
    const { revision, supersedes, charged, isAdjustment, ...outcome } = settled
    const day = isAdjustment ? { start: closedUntil, periodStart: closedUntil } : dayAt(priced, row)
    const entry = {
      revision,
      at: isAdjustment ? closedUntil : at,
      day,
      credits: charged,
      ownAt: isAdjustment ? at : null,
    }
    if (!this.#insertRow(batch, row, entry)) throw new Error('a revision of the message exists already')
    this.#totals.add(day, cellIdAt(batch, row, day), sumOfOne(charged))
    for (const old of counted) {
      if (!supersedes.includes(old.revision)) continue
      this.#supersede.run(revision, organizationId, idAt(priced, row), old.revision)
      this.#totals.add({ start: old.dayStart, periodStart: old.dayStart }, old.cellId, negated(sumOfOne(old.credits)))
    }
    return outcome
  }

  #countedOf({ organizationId, priced }: Batch, row: number): readonly (Counted & { readonly cellId: number })[] {
    const messageId = idAt(priced, row)
    return this.#counted.all(organizationId, messageId).map((found) => {
      const revision = found['revision'] as number
      const cellId = found['cell_id'] as number
      const cell = this.#cells.cellOf(organizationId, cellId)
      const countedAt = found['at_ms'] as EpochMs
      const at = (found['own_at_ms'] ?? countedAt) as EpochMs
      const names = isOther(cell) ? this.#findNames.get(organizationId, countedAt, messageId, revision) : undefined
      return {
        revision,
        credits: (found['credits_micros'] ?? undefined) as number | undefined,
        dayStart: found['day_start'] as EpochMs,
        timestamp: (found['timestamp'] as string | null) ?? canonicalTimestamp(at),
        cell: names === undefined ? cell : reportedCell(names, cell),
        digest: found['digest'] as Uint8Array,
        cellId,
      }
    })
  }

  /** Call after a rollback: nothing that the transaction has added is there. */
  rolledBack(): void {
    this.#cells.rolledBack()
    this.#others.rolledBack()
    this.#totals.clear()
  }
}

const entryOf = ({ priced }: Batch, row: number): Entry => ({
  revision: 0,
  at: priced.at[row] as EpochMs,
  day: dayAt(priced, row),
  credits: creditsAt(priced, row),
  ownAt: null,
})

const cellIdAt = ({ places, priced }: Batch, row: number, { periodStart }: CountedDay): number =>
  places.idOf(priced.cellOf[row] as number, periodStart)

/** In the order of `COLUMNS`. */
const pushValues = (values: SQLInputValue[], batch: Batch, row: number, entry: Entry): void => {
  const { organizationId, priced, recordedAt } = batch
  values.push(
    organizationId,
    entry.at,
    idAt(priced, row),
    entry.revision,
    entry.day.start,
    cellIdAt(batch, row, entry.day),
    entry.credits ?? null,
    factsAt(priced, row),
    digestAt(priced, row),
    recordedAt,
    priced.timestamps[row] ?? null,
    entry.ownAt,
  )
}

/** Integers are bound as bigint: in a column of type ANY, node:sqlite would store a number as a floating-point value. */
const idAt = ({ messageIds }: PricedBatch, row: number): bigint | string => {
  const id = messageIds[row] as number | string
  return typeof id === 'number' ? BigInt(id) : id
}

const CONSTRAINT_PRIMARY_KEY = 1555
const CONSTRAINT_UNIQUE = 2067

const isTaken = (error: unknown): boolean => {
  const code = (error as { readonly errcode?: number }).errcode
  return code === CONSTRAINT_PRIMARY_KEY || code === CONSTRAINT_UNIQUE
}

type CellSum = Sum & { readonly cellId: number }
type DaySum = Sum & { readonly day: CountedDay; readonly cells: Map<number, CellSum> }

/** Adds up what an append changes, so that each total is written once. */
class Totals {
  readonly #addToDay
  readonly #addToDayCell
  readonly #addToPeriodCell
  readonly #days = new Map<EpochMs, DaySum>()

  constructor(database: DatabaseSync) {
    // The first record of a day fixes its period. Versions grow by random steps: after a backup is restored, other records do not
    // arrive at a version that a client has seen.
    this.#addToDay = database.prepare(`
      INSERT INTO day (organization_id, day_start, period_start, messages, unpriced, credits_micros, version)
      VALUES (?, ?, ?, ?, ?, ?, 1 + (random() & 0xfffff))
      ON CONFLICT DO UPDATE SET messages = messages + excluded.messages, unpriced = unpriced + excluded.unpriced,
        credits_micros = credits_micros + excluded.credits_micros, version = version + excluded.version
      RETURNING period_start`)
    const addToCell = (table: string, start: string) => `
      INSERT INTO ${table} (organization_id, ${start}, cell_id, messages, unpriced, credits_micros) VALUES (?, ?, ?, ?, ?, ?)
      ON CONFLICT DO UPDATE SET messages = messages + excluded.messages, unpriced = unpriced + excluded.unpriced,
        credits_micros = credits_micros + excluded.credits_micros`
    this.#addToDayCell = database.prepare(addToCell('day_cell', 'day_start'))
    this.#addToPeriodCell = database.prepare(addToCell('period_cell', 'period_start'))
  }

  add(day: CountedDay, cellId: number, added: Sum): void {
    let sum = this.#days.get(day.start)
    if (sum === undefined) {
      sum = { day, ...emptySum(), cells: new Map() }
      this.#days.set(day.start, sum)
    }
    addTo(sum, added)
    let cell = sum.cells.get(cellId)
    if (cell === undefined) {
      cell = { cellId, ...emptySum() }
      sum.cells.set(cellId, cell)
    }
    addTo(cell, added)
  }

  write(organizationId: string): void {
    const periods = new Map<EpochMs, Map<number, CellSum>>()
    for (const { day, messages, unpriced, credits, cells } of this.#days.values()) {
      const row = this.#addToDay.get(organizationId, day.start, day.periodStart, messages, unpriced, credits)
      const periodStart = row?.['period_start'] as EpochMs
      const period = periods.get(periodStart)
      for (const cell of cells.values()) {
        const { cellId, messages, unpriced, credits } = cell
        this.#addToDayCell.run(organizationId, day.start, cellId, messages, unpriced, credits)
        const sum = period?.get(cellId)
        if (sum !== undefined) addTo(sum, cell)
        else period?.set(cellId, { ...cell })
      }
      if (period === undefined) periods.set(periodStart, cells)
    }
    for (const [periodStart, cells] of periods) {
      for (const { cellId, messages, unpriced, credits } of cells.values()) {
        this.#addToPeriodCell.run(organizationId, periodStart, cellId, messages, unpriced, credits)
      }
    }
    this.clear()
  }

  clear(): void {
    this.#days.clear()
  }
}
