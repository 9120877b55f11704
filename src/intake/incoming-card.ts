/** Validates rate cards that were received. */
import type { Card } from '#model/card.ts'
import { InvalidFields } from '#model/errors.ts'
import { InvalidRateCard, parseCard, WHOLE_CARD } from '#rating/parse-card.ts'

export { CARD_BYTES_MAX } from '#rating/parse-card.ts'

/** `at` is where the card is in the request, such as `rate_card`; empty if it is the body. Throws InvalidFields. */
export const readCard = (input: unknown, at = ''): Card => {
  try {
    return parseCard(input)
  } catch (error) {
    if (!(error instanceof InvalidRateCard)) throw error
    throw new InvalidFields(error.faults.map(({ path, expected }) => ({ field: fieldAt(at, path), expected })))
  }
}

const fieldAt = (at: string, path: string): string => {
  if (path === WHOLE_CARD) return at === '' ? 'body' : at
  if (at === '') return path
  return path.startsWith('[') ? `${at}${path}` : `${at}.${path}`
}
