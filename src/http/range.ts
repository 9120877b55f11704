/** The range of usage that a query asks for: `period`, or `from` and `to`. */
import type { Reading } from '#answering/readings.ts'
import { type RangeQuery, rangeOf, UnknownPeriod } from '#answering/usage-range.ts'
import type { Range } from '#ledger/ledger.ts'
import { InvalidRequest } from '#model/errors.ts'
import { queryParameter } from './fields.ts'

/** Throws InvalidRequest. */
export const rangeIn = (reading: Reading<unknown>, { period, from, to }: RangeQuery): Range => {
  try {
    return rangeOf(reading, { period, from: withPlus(from), to: withPlus(to) })
  } catch (error) {
    if (!(error instanceof InvalidRequest)) throw error
    const hint = error instanceof UnknownPeriod ? ' (see /v1/periods)' : ''
    throw new InvalidRequest(queryParameter(error.field), `${error.expected}${hint}`)
  }
}

/** In the offset of a timestamp, an unencoded plus sign arrives as a space. */
const withPlus = (text: string | undefined): string | undefined => text?.replace(/ (?=\d\d:\d\d$)/, '+')
