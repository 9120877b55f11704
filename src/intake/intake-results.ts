/** What became of the entries of a request: columns, from which each result is put together when it is written. */
import type { AppendOutcome } from '#ledger/ledger.ts'
import { acceptedAt, creditsAt, type PricedBatch, pricedAt } from '#ledger/priced-batch.ts'
import type { Credits } from '#model/credits.ts'
import type { Outcome } from '#model/facts.ts'
import type { Id } from '#model/report.ts'
import type { ReasonOf } from '#model/usage-record.ts'
import type { Rejection } from './incoming-message.ts'

/** The outcome of a message. `credits` is what it costs now, `unpriced` the reason if it has no price. */
export type IntakeResult =
  | (TakenAs & {
      readonly id: Id
      /** The catalogue does not have the report that the message asks for: the text set the price. */
      readonly unknownReport?: true
    })
  | ({ readonly status: 'rejected' } & Rejection)

type TakenAs = {
  readonly status: AppendOutcome['status'] | 'unpriced'
  readonly credits?: Credits
  readonly unpriced?: string
  /** Of a conflict about the outcome of the message: the one that holds. */
  readonly outcome?: Outcome
}

/** `unpriced` is present if there are any. */
export type IntakeCounts = {
  accepted: number
  duplicate: number
  conflict: number
  rejected: number
  unpriced?: number
}

type Parts = {
  readonly length: number
  /** By index of the entry. */
  readonly rejections: ReadonlyMap<number, Rejection>
  /** The other entries, in order. */
  readonly priced: PricedBatch
  /** For each row; undefined if all were accepted. */
  readonly outcomes: readonly AppendOutcome[] | undefined
  /** Rows whose report the catalogue does not have. */
  readonly unknownReports: ReadonlySet<number>
  readonly reasonOf: ReasonOf
}

export class IntakeResults implements Iterable<IntakeResult> {
  readonly length: number
  readonly #parts: Parts

  constructor(parts: Parts) {
    this.length = parts.length
    this.#parts = parts
  }

  /** In the order of the entries. */
  *[Symbol.iterator](): Generator<IntakeResult, void, undefined> {
    const { length, rejections, priced, unknownReports } = this.#parts
    let row = 0
    for (let index = 0; index < length; index++) {
      const rejection = rejections.get(index)
      if (rejection !== undefined) {
        yield { status: 'rejected', ...rejection }
        continue
      }
      const result = { id: priced.messageIds[row] as Id, ...this.#outcomeAt(row) }
      yield unknownReports.has(row) ? { ...result, unknownReport: true } : result
      row++
    }
  }

  #outcomeAt(row: number): TakenAs {
    const { priced, outcomes, reasonOf } = this.#parts
    const outcome = outcomes?.[row] ?? acceptedAt(priced, row)
    // Of a conflict, this content is not the one that has no price.
    if (outcome.credits !== undefined || outcome.status === 'conflict') return outcome
    const status = outcome.status === 'accepted' ? 'unpriced' : outcome.status
    return { status, unpriced: reasonOf(pricedAt(priced, row)) }
  }

  get counts(): Readonly<IntakeCounts> {
    const { rejections, priced, outcomes } = this.#parts
    const counts: IntakeCounts = { accepted: 0, duplicate: 0, conflict: 0, rejected: rejections.size }
    for (let row = 0; row < priced.count; row++) {
      const { status, credits } = outcomes?.[row] ?? { status: 'accepted', credits: creditsAt(priced, row) }
      addTo(counts, status === 'accepted' && credits === undefined ? 'unpriced' : status)
    }
    return counts
  }
}

export const countsOf = (results: Iterable<IntakeResult>): IntakeCounts => {
  const counts: IntakeCounts = { accepted: 0, duplicate: 0, conflict: 0, rejected: 0 }
  for (const { status } of results) addTo(counts, status)
  return counts
}

/** What clients report is never amended. */
const addTo = (counts: IntakeCounts, status: IntakeResult['status']): void => {
  if (status !== 'amended') counts[status] = (counts[status] ?? 0) + 1
}
