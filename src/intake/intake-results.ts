/** What became of the entries of a request: columns, from which each result is put together when it is written. */
import type { AppendOutcome } from '#ledger/ledger.ts'
import { creditsAt, type PricedBatch } from '#ledger/priced-batch.ts'
import type { Credits } from '#model/credits.ts'
import type { Id } from '#model/report.ts'
import type { Rejection } from './incoming-message.ts'

/** The outcome of a message. `credits` is what it costs now. */
export type IntakeResult =
  | {
      readonly id: Id
      readonly status: AppendOutcome['status']
      readonly credits: Credits
      /** The catalogue does not have the report that the message asks for: the text set the price. */
      readonly unknownReport?: true
    }
  | ({ readonly status: 'rejected' } & Rejection)

export type IntakeCounts = { accepted: number; duplicate: number; conflict: number; rejected: number }

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
    const { length, rejections, priced, outcomes, unknownReports } = this.#parts
    let row = 0
    for (let index = 0; index < length; index++) {
      const rejection = rejections.get(index)
      if (rejection !== undefined) {
        yield { status: 'rejected', ...rejection }
        continue
      }
      const { status, credits } = outcomes?.[row] ?? { status: 'accepted' as const, credits: creditsAt(priced, row) }
      const result = { id: priced.messageIds[row] as Id, status, credits }
      yield unknownReports.has(row) ? { ...result, unknownReport: true } : result
      row++
    }
  }

  get counts(): Readonly<IntakeCounts> {
    const { rejections, priced, outcomes } = this.#parts
    const counts: IntakeCounts = { accepted: 0, duplicate: 0, conflict: 0, rejected: rejections.size }
    if (outcomes === undefined) counts.accepted = priced.count
    else for (const { status } of outcomes) if (status !== 'amended') counts[status]++
    return counts
  }
}

export const countsOf = (results: Iterable<IntakeResult>): IntakeCounts => {
  const counts: IntakeCounts = { accepted: 0, duplicate: 0, conflict: 0, rejected: 0 }
  for (const { status } of results) if (status !== 'amended') counts[status]++
  return counts
}
