/** Says what messages would cost, and records nothing. */
import { setImmediate as letOthersRun } from 'node:timers/promises'
import type { Pricing } from '#model/charge.ts'
import { InvalidRequest, NotFound } from '#model/errors.ts'
import type { Message } from '#model/message.ts'
import type { EpochMs } from '#model/organization.ts'
import { isPlainText, PLAIN_TEXT } from '#model/plain-text.ts'
import type { Id, Report } from '#model/report.ts'
import { canonicalTimestamp } from '#model/timestamp.ts'
import { AmountTooLarge } from '#rating/amounts.ts'
import { type CardChoice, cardFor } from '#rating/card-choice.ts'
import { TOO_LARGE } from '#rating/charged-facts.ts'
import { type CompiledCard, compileCard } from '#rating/compile-card.ts'
import type { Cards } from './cards-in-force.ts'
import type { CompiledCards } from './compiled-cards.ts'
import { readCard } from './incoming-card.ts'
import {
  type IncomingMessage,
  type IntakeLimits,
  isRejection,
  parseIncoming,
  type Rejection,
} from './incoming-message.ts'
import type { IntakeNeeds } from './intake.ts'
import { factsOf } from './pricing.ts'

export type Quote =
  | (Pricing & {
      /** The version of the card. */
      readonly rateCard: string
      /** The catalogue does not have the report that the message asks for. */
      readonly unknownReport?: true
    })
  | ({ readonly status: 'rejected' } & Rejection)

export type Quotes = {
  /**
   * A quote for each entry, in order. Entries are as `incoming-message.ts` describes them, but may lack an id, and a timestamp,
   * which is now then. `rateCard` is the version of a card, or a whole card that need not be stored; without it, the cards in force
   * at the message's timestamp price it. Throws InvalidRequest, InvalidFields, NotFound, UpstreamError or StoreError.
   */
  readonly quote: (organizationId: string, entries: readonly unknown[], rateCard: unknown) => AsyncIterable<Quote>
}

type Needs = {
  readonly cards: Pick<Cards, 'inForceNow'>
  readonly compiledCards: CompiledCards
  readonly reportsOf: IntakeNeeds['reportsOf']
  readonly limits: IntakeLimits
  readonly clock: () => EpochMs
}

export const createQuotes = ({ cards, compiledCards, reportsOf, limits, clock }: Needs): Quotes => {
  const named = async (version: string): Promise<CompiledCard> => {
    const card = await compiledCards.byVersion(version)
    if (card === undefined) throw new NotFound(`There is no rate card ${JSON.stringify(version.slice(0, 100))}.`)
    return card
  }

  const cardFinder = async (organizationId: string, rateCard: unknown): Promise<(at: EpochMs) => CardChoice> => {
    if (rateCard !== undefined) {
      if (typeof rateCard === 'string' && !isPlainText(rateCard)) throw new InvalidRequest('rate_card', PLAIN_TEXT)
      const card = typeof rateCard === 'string' ? await named(rateCard) : compileCard(readCard(rateCard, 'rate_card'))
      return () => ({ card })
    }
    return (await compiledCards.ready(await cards.inForceNow(organizationId))).at
  }

  const findReports = async (
    parsed: readonly (IncomingMessage | Rejection)[],
  ): Promise<ReadonlyMap<Id, Report | undefined>> => {
    const ids = new Set(parsed.flatMap((each) => (isRejection(each) ? [] : (each.reportId ?? []))))
    return ids.size === 0 ? new Map() : reportsOf(ids)
  }

  async function* quote(organizationId: string, entries: readonly unknown[], rateCard: unknown): AsyncGenerator<Quote> {
    const time = clock()
    const cardsAt = await cardFinder(organizationId, rateCard)
    const parsed = entries.map((entry) => parseIncoming(withDefaults(entry, time), limits, time))
    const reports = await findReports(parsed)
    const isTurnOver = createTurns()
    let linesLeft = LINES_MAX
    for (const message of parsed) {
      if (isRejection(message)) yield { status: 'rejected', ...message }
      else {
        const report = message.reportId === undefined ? undefined : reports.get(message.reportId)
        const priced = price(cardsAt(message.at), message, report)
        linesLeft -= priced.status === 'priced' ? priced.lines.length : 0
        if (linesLeft < 0)
          throw new InvalidRequest('body/messages', `fewer: their quotes have more than ${LINES_MAX} lines`)
        const isUnknown = message.reportId !== undefined && report === undefined
        yield isUnknown && priced.status !== 'rejected' ? { ...priced, unknownReport: true } : priced
      }
      if (isTurnOver()) await letOthersRun()
    }
  }

  return { quote }
}

/** A card of 4 MiB can make 50,000 lines for each of 10,000 messages. */
const LINES_MAX = 250_000

/** The id changes nothing, and the timestamp only decides which card is in force. */
const withDefaults = (entry: unknown, time: EpochMs): unknown => {
  if (typeof entry !== 'object' || entry === null || Array.isArray(entry)) return entry
  const { id, timestamp } = entry as Readonly<Record<string, unknown>>
  return { ...entry, id: id ?? 0, timestamp: timestamp ?? canonicalTimestamp(time) }
}

const price = (cards: CardChoice, message: Message, report: Report | undefined): Quote => {
  try {
    const facts = factsOf(message, report)
    const card = cardFor(cards, facts)
    return { ...card.price(facts), rateCard: card.version }
  } catch (error) {
    if (!(error instanceof AmountTooLarge)) throw error
    return { status: 'rejected', field: '', reason: TOO_LARGE }
  }
}

/** Says when it is time to let other work run. */
const createTurns = () => {
  let endsAt = performance.now() + TURN_MS
  return (): boolean => {
    if (performance.now() < endsAt) return false
    endsAt = performance.now() + TURN_MS
    return true
  }
}

const TURN_MS = 10
