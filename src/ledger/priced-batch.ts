/**
 * Priced messages as columns, from the moment they are priced until they are answered. An object per message that lives until
 * the commit costs more in garbage collection than the database costs in writing it. All numbers share one
 * buffer, so sending a batch to a thread copies a few arrays.
 */
import type { Cell } from '#model/cell.ts'
import { type Credits, credits } from '#model/credits.ts'
import type { EpochMs } from '#model/organization.ts'
import type { Id } from '#model/report.ts'
import { canonicalTimestamp, isCanonicalTimestamp } from '#model/timestamp.ts'
import { DIGEST_BYTES, type Priced } from '#model/usage-record.ts'

/** The start of the usage day to which messages count, and of the billing period that it belongs to. */
export type CountedDay = { readonly start: EpochMs; readonly periodStart: EpochMs }

/** Row `i` of every column is the same message; `pricedAt` puts a row together. */
export type PricedBatch = {
  readonly count: number
  readonly messageIds: readonly Id[]
  readonly at: Float64Array
  /** Undefined if the timestamp is the canonical form of `at`. */
  readonly timestamps: readonly (string | undefined)[]
  /** NaN if the message is unpriced. */
  readonly credits: Float64Array
  /** The cells of the batch, no two the same object, and the index of each row's. */
  readonly cells: readonly Cell[]
  readonly cellOf: Uint32Array
  /** The days of the batch, and the index of each row's. */
  readonly days: readonly CountedDay[]
  readonly dayOf: Uint32Array
  /** Concatenated; `factsEnds` holds where each one ends. */
  readonly facts: Uint8Array
  readonly factsEnds: Uint32Array
  /** Concatenated, `DIGEST_BYTES` each. */
  readonly digests: Uint8Array
}

/** One row of a batch. */
export const pricedAt = (batch: Omit<PricedBatch, 'days' | 'dayOf'>, row: number): Priced => {
  const at = batch.at[row] as EpochMs
  const amount = creditsAt(batch, row)
  return {
    messageId: batch.messageIds[row] as Id,
    at,
    timestamp: batch.timestamps[row] ?? canonicalTimestamp(at),
    cell: cellAt(batch, row),
    ...(amount !== undefined && { credits: amount }),
    facts: factsAt(batch, row),
    digest: digestAt(batch, row),
  }
}

/** Undefined if the message is unpriced. */
export const creditsAt = (batch: Pick<PricedBatch, 'credits'>, row: number): Credits | undefined => {
  const amount = batch.credits[row] as number
  return Number.isNaN(amount) ? undefined : credits(amount)
}

/** The outcome of a row that is accepted. */
export const acceptedAt = (batch: PricedBatch, row: number) => {
  const amount = creditsAt(batch, row)
  return { status: 'accepted', ...(amount !== undefined && { credits: amount }) } as const
}

export const cellAt = (batch: Pick<PricedBatch, 'cells' | 'cellOf'>, row: number): Cell =>
  batch.cells[batch.cellOf[row] as number] as Cell

export const dayAt = (batch: PricedBatch, row: number): CountedDay =>
  batch.days[batch.dayOf[row] as number] as CountedDay

export const factsAt = ({ facts, factsEnds }: Pick<PricedBatch, 'facts' | 'factsEnds'>, row: number): Uint8Array =>
  facts.subarray(row === 0 ? 0 : factsEnds[row - 1], factsEnds[row])

export const digestAt = ({ digests }: Pick<PricedBatch, 'digests'>, row: number): Uint8Array =>
  digests.subarray(row * DIGEST_BYTES, (row + 1) * DIGEST_BYTES)

/** Most facts take less. If they do not, the column grows. */
const FACTS_BYTES = 24

/** Puts a batch together, row by row. `capacity` is the maximum number of rows. */
export class PricedBatchBuilder {
  readonly #at: Float64Array
  readonly #credits: Float64Array
  readonly #cellOf: Uint32Array
  readonly #dayOf: Uint32Array
  readonly #factsEnds: Uint32Array
  readonly #digests: Uint8Array
  #facts: Uint8Array
  readonly #messageIds: Id[] = []
  readonly #timestamps: (string | undefined)[] = []
  readonly #cells = new Map<Cell, number>()
  readonly #days = new Map<EpochMs, number>()
  readonly #daysInOrder: CountedDay[] = []
  #latestDay: CountedDay | undefined
  #latestDayIndex = 0
  #count = 0
  #factsBytes = 0

  constructor(capacity: number) {
    const bytes = (8 + 8 + 4 + 4 + 4 + DIGEST_BYTES + FACTS_BYTES) * capacity
    const buffer = new ArrayBuffer(bytes)
    this.#at = new Float64Array(buffer, 0, capacity)
    this.#credits = new Float64Array(buffer, 8 * capacity, capacity)
    this.#cellOf = new Uint32Array(buffer, 16 * capacity, capacity)
    this.#dayOf = new Uint32Array(buffer, 20 * capacity, capacity)
    this.#factsEnds = new Uint32Array(buffer, 24 * capacity, capacity)
    this.#digests = new Uint8Array(buffer, 28 * capacity, DIGEST_BYTES * capacity)
    this.#facts = new Uint8Array(buffer, (28 + DIGEST_BYTES) * capacity)
  }

  /** Adds a row. The caller keeps no reference to the bytes of `priced`, which are copied. */
  add({ messageId, at, timestamp, cell, credits: amount, facts, digest }: Priced, day: CountedDay): void {
    const row = this.#count++
    this.#messageIds.push(messageId)
    this.#timestamps.push(isCanonicalTimestamp(timestamp, at) ? undefined : timestamp)
    this.#at[row] = at
    this.#credits[row] = amount ?? Number.NaN
    this.#cellOf[row] = this.#indexOfCell(cell)
    this.#dayOf[row] = this.#indexOfDay(day)
    this.#digests.set(digest, row * DIGEST_BYTES)
    const end = this.#factsBytes + facts.length
    if (end > this.#facts.length) this.#growTo(end)
    this.#facts.set(facts, this.#factsBytes)
    this.#factsEnds[row] = end
    this.#factsBytes = end
  }

  build(): PricedBatch {
    return {
      count: this.#count,
      messageIds: this.#messageIds,
      at: this.#at,
      timestamps: this.#timestamps,
      credits: this.#credits,
      cells: [...this.#cells.keys()],
      cellOf: this.#cellOf,
      days: this.#daysInOrder,
      dayOf: this.#dayOf,
      facts: this.#facts,
      factsEnds: this.#factsEnds,
      digests: this.#digests,
    }
  }

  #indexOfCell(cell: Cell): number {
    let index = this.#cells.get(cell)
    if (index === undefined) {
      index = this.#cells.size
      this.#cells.set(cell, index)
    }
    return index
  }

  #indexOfDay(day: CountedDay): number {
    if (day === this.#latestDay) return this.#latestDayIndex
    let index = this.#days.get(day.start)
    if (index === undefined) {
      index = this.#days.size
      this.#days.set(day.start, index)
      this.#daysInOrder.push(day)
    }
    this.#latestDay = day
    this.#latestDayIndex = index
    return index
  }

  #growTo(bytes: number): void {
    const grown = new Uint8Array(Math.max(bytes, this.#facts.length * 2))
    grown.set(this.#facts.subarray(0, this.#factsBytes))
    this.#facts = grown
  }
}

/** What the rows of a batch add to the total of a day and cell. */
export type BatchSum = {
  readonly day: CountedDay
  /** The index of the cell in `cells`. */
  readonly cell: number
  readonly messages: number
  readonly unpriced: number
  readonly credits: number | bigint
}

/** Adds up a batch, or those of its rows that `counts` accepts, by day and cell. */
export const sumsOf = (batch: PricedBatch, counts: (row: number) => boolean = () => true): readonly BatchSum[] => {
  const { count, credits: amounts, cellOf, dayOf, cells } = batch
  const byKey = new Map<number, number>()
  const rows: number[] = []
  const messages: number[] = []
  const unpriced: number[] = []
  const sums: (number | bigint)[] = []
  for (let row = 0; row < count; row++) {
    if (!counts(row)) continue
    const key = (dayOf[row] as number) * cells.length + (cellOf[row] as number)
    let index = byKey.get(key)
    if (index === undefined) {
      index = rows.length
      byKey.set(key, index)
      rows.push(row)
      messages.push(0)
      unpriced.push(0)
      sums.push(0)
    }
    messages[index] = (messages[index] as number) + 1
    const amount = amounts[row] as number
    if (Number.isNaN(amount)) unpriced[index] = (unpriced[index] as number) + 1
    else sums[index] = exactSum(sums[index] as number | bigint, amount)
  }
  return rows.map((row, index) => ({
    day: dayAt(batch, row),
    cell: cellOf[row] as number,
    messages: messages[index] as number,
    unpriced: unpriced[index] as number,
    credits: sums[index] as number | bigint,
  }))
}

/** A sum stays a number while that is exact. */
export const exactSum = (sum: number | bigint, amount: number | bigint): number | bigint => {
  if (typeof sum === 'number' && typeof amount === 'number') {
    const total = sum + amount
    if (Number.isSafeInteger(total)) return total
  }
  return BigInt(sum) + BigInt(amount)
}
