/**
 * What is kept of messages, as columns: for whoever goes through many of them and prices them again. An object per charge would
 * cost more than the pricing.
 */
import type { Cell } from '#model/cell.ts'
import type { EpochMs } from '#model/organization.ts'
import type { Id } from '#model/report.ts'
import { canonicalTimestamp } from '#model/timestamp.ts'
import { DIGEST_BYTES } from '#model/usage-record.ts'
import type { PricedBatch } from './priced-batch.ts'

/** Row `i` of every column is the same charge. The accessors of a batch read the columns that both have. */
export type KeptCharges = Omit<PricedBatch, 'days' | 'dayOf'> & {
  /** In the order of `cells`, which are as reported: the cells to whose totals the charges count. */
  readonly countedCells: readonly Cell[]
  /** The starts of the usage days to which the charges count. They ascend. */
  readonly dayStarts: Float64Array
  readonly revisions: Uint32Array
  /** 1 if the charge adjusts a period that was closed when it was made. */
  readonly isAdjustment: Uint8Array
  /**
   * Of a revision above 0: the credits and the index of the cell of the revision before it. The index is -1 if there is none at the
   * same instant.
   */
  readonly replacedCredits: Float64Array
  readonly replacedCellOf: Int32Array
}

export type KeptColumns = Omit<KeptCharges, 'cells' | 'countedCells'>

export type KeptRow = {
  readonly messageId: Id
  readonly at: EpochMs
  /** Undefined if it is the canonical form of the message's instant. */
  readonly timestamp: string | undefined
  readonly dayStart: EpochMs
  readonly revision: number
  /** Undefined if the message is unpriced. */
  readonly credits: number | undefined
  readonly cell: number
  /** The instant of the message, if the charge is an adjustment. */
  readonly adjusts: EpochMs | undefined
  readonly replaced: { readonly credits: number | undefined; readonly cell: number } | undefined
  readonly facts: Uint8Array
  readonly digest: Uint8Array | undefined
}

/** Most facts take less. If they do not, the column grows. */
const FACTS_BYTES = 32

/** Puts a piece together, row by row. `capacity` is the maximum number of rows. */
export class KeptChargesBuilder {
  readonly #messageIds: Id[] = []
  readonly #timestamps: (string | undefined)[] = []
  readonly #at: Float64Array
  readonly #dayStarts: Float64Array
  readonly #credits: Float64Array
  readonly #replacedCredits: Float64Array
  readonly #replacedCellOf: Int32Array
  readonly #cellOf: Uint32Array
  readonly #revisions: Uint32Array
  readonly #factsEnds: Uint32Array
  readonly #isAdjustment: Uint8Array
  readonly #digests: Uint8Array
  #facts: Uint8Array
  #factsBytes = 0
  #count = 0

  constructor(capacity: number) {
    // One buffer, so that sending a piece to a thread copies one.
    const buffer = new ArrayBuffer((4 * 8 + 4 * 4 + DIGEST_BYTES + 1 + FACTS_BYTES) * capacity)
    this.#at = new Float64Array(buffer, 0, capacity)
    this.#dayStarts = new Float64Array(buffer, 8 * capacity, capacity)
    this.#credits = new Float64Array(buffer, 16 * capacity, capacity)
    this.#replacedCredits = new Float64Array(buffer, 24 * capacity, capacity)
    this.#replacedCellOf = new Int32Array(buffer, 32 * capacity, capacity)
    this.#cellOf = new Uint32Array(buffer, 36 * capacity, capacity)
    this.#revisions = new Uint32Array(buffer, 40 * capacity, capacity)
    this.#factsEnds = new Uint32Array(buffer, 44 * capacity, capacity)
    this.#digests = new Uint8Array(buffer, 48 * capacity, DIGEST_BYTES * capacity)
    this.#isAdjustment = new Uint8Array(buffer, (48 + DIGEST_BYTES) * capacity, capacity)
    this.#facts = new Uint8Array(buffer, (49 + DIGEST_BYTES) * capacity)
  }

  /** `cell` and `replaced.cell` are indexes of the cells that `build` is given. */
  add(row: KeptRow): void {
    const at = this.#count++
    this.#messageIds.push(row.messageId)
    this.#timestamps.push(row.timestamp ?? (row.adjusts === undefined ? undefined : canonicalTimestamp(row.adjusts)))
    this.#at[at] = row.at
    this.#dayStarts[at] = row.dayStart
    this.#credits[at] = row.credits ?? Number.NaN
    this.#replacedCredits[at] = row.replaced?.credits ?? Number.NaN
    this.#replacedCellOf[at] = row.replaced?.cell ?? -1
    this.#cellOf[at] = row.cell
    this.#revisions[at] = row.revision
    this.#isAdjustment[at] = row.adjusts === undefined ? 0 : 1
    if (row.digest !== undefined) this.#digests.set(row.digest, at * DIGEST_BYTES)
    const end = this.#factsBytes + row.facts.length
    if (end > this.#facts.length) this.#growTo(end)
    this.#facts.set(row.facts, this.#factsBytes)
    this.#factsEnds[at] = end
    this.#factsBytes = end
  }

  build(cells: readonly Cell[], countedCells = cells): KeptCharges {
    return { ...this.columns(), cells, countedCells }
  }

  columns(): KeptColumns {
    return {
      count: this.#count,
      messageIds: this.#messageIds,
      timestamps: this.#timestamps,
      at: this.#at,
      dayStarts: this.#dayStarts,
      credits: this.#credits,
      replacedCredits: this.#replacedCredits,
      replacedCellOf: this.#replacedCellOf,
      cellOf: this.#cellOf,
      revisions: this.#revisions,
      isAdjustment: this.#isAdjustment,
      facts: this.#facts,
      factsEnds: this.#factsEnds,
      digests: this.#digests,
    }
  }

  #growTo(bytes: number): void {
    const grown = new Uint8Array(Math.max(bytes, this.#facts.length * 2))
    grown.set(this.#facts.subarray(0, this.#factsBytes))
    this.#facts = grown
  }
}

/** The cells of a piece, each once, as whatever the store finds them by later. */
export class KeptCells<T> {
  readonly #indexes = new Map<unknown, number>()
  readonly distinct: T[] = []

  find(key: unknown): number | undefined {
    return this.#indexes.get(key)
  }

  /** Those with an equal key are the same. */
  indexOf(cell: T, key: unknown = cell): number {
    let index = this.#indexes.get(key)
    if (index === undefined) {
      index = this.distinct.length
      this.#indexes.set(key, index)
      this.distinct.push(cell)
    }
    return index
  }
}
