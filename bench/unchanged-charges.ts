/** What does a refresh save by keeping the objects of unchanged charges? Everything else that a refresh does is left out. */

import { createListing, type Listing } from '../src/current-period/listing.ts'
import { createListingBuilder } from '../src/current-period/listing-builder.ts'
import { STANDARD_ONLY } from '../src/intake/compiled-cards.ts'
import { createContentDigest } from '../src/intake/content-digest.ts'
import { createPricer } from '../src/intake/pricing.ts'
import type { Report } from './report.ts'
import { benchTexts } from './texts.ts'
import { compareInTurns } from './turns.ts'

const ROUNDS = 15
const MESSAGES = 100_000

export const benchUnchangedCharges = async (report: Report): Promise<void> => {
  const { source, texts } = benchTexts()
  const start = Date.parse('2024-05-01T00:00:00Z')
  const messages = Array.from({ length: MESSAGES }, (_, id) => ({
    id,
    text: texts[id % texts.length] as string,
    timestamp: new Date(start + id * 20).toISOString(),
  }))
  const pricer = createPricer(createContentDigest('k'.repeat(43)))
  const refreshing = (isKept: boolean) => {
    let listing: Listing | undefined
    return async () => {
      const usedBefore = process.cpuUsage()
      const before = isKept ? listing?.byId : undefined
      const builder = createListingBuilder({ pricer, cards: STANDARD_ONLY, wantReport: () => {}, before })
      for (let from = 0; from < MESSAGES; from += 500) builder.take(messages.slice(from, from + 500))
      listing = createListing(await builder.charges(new Map()))
      const { user, system } = process.cpuUsage(usedBefore)
      return (user + system) / MESSAGES
    }
  }
  report.heading(
    `Pricing an unchanged listing again, including garbage collection: ${MESSAGES} ${source}, ${ROUNDS} rounds`,
  )
  await compareInTurns(report, 'unchanged charges', ROUNDS, {
    'unchanged charges kept': refreshing(true),
    'all charges new': refreshing(false),
  })
}
