/** What messages would cost by another rate card, and charging them anew once that card is in force. */
import { createHash } from 'node:crypto'
import { type RangeQuery, rangeOf, UnknownPeriod } from '#answering/usage-range.ts'
import { periodAt } from '#calendar/periods.ts'
import type { Cards } from '#intake/cards-in-force.ts'
import type { CompiledCards } from '#intake/compiled-cards.ts'
import { readCard } from '#intake/incoming-card.ts'
import type { Pricer } from '#intake/pricing.ts'
import type { StoredCards } from '#intake/stored-cards.ts'
import { addReason } from '#intake/unpriced-reasons.ts'
import type { Ledger, Range } from '#ledger/ledger.ts'
import { Conflict, InvalidRequest, NotFound, StoreBusy } from '#model/errors.ts'
import type { EpochMs, Organization } from '#model/organization.ts'
import { isPlainText, PLAIN_TEXT } from '#model/plain-text.ts'
import { canonicalTimestamp } from '#model/timestamp.ts'
import { cardHash } from '#rating/card-hash.ts'
import { compileCard } from '#rating/compile-card.ts'
import { type ChargedAnew, createChargingAnew } from './charging-anew.ts'
import { Comparison, type Part } from './comparison.ts'
import { otherCardIn } from './in-force.ts'
import { countMessages, type ReadingOptions, readAtOneMoment } from './one-moment.ts'
import { createPricingAgain, type OtherCard } from './pricing-again.ts'

export type Simulation = Range &
  ReturnType<Comparison['result']> & {
    /** Identifies the card and, by organization and range, every charge by another card with what the message would cost. */
    readonly hash: string
    /** The range is from the earliest start to the latest end of theirs. */
    readonly asked: readonly Organization[]
    readonly rateCard: { readonly version: string; readonly hash: string }
    /** How many messages are charged by another card. */
    readonly byAnother: number
    /** Why messages would have no price, with the number of messages. */
    readonly reasons: ReadonlyMap<string, number>
  }

/**
 * `rateCard` is the version of a stored card, or a whole card. A period is each organization's own of that name; the current one
 * unless it is given.
 */
export type SimulationRequest = RangeQuery & {
  readonly organizations: readonly Organization[]
  readonly rateCard: unknown
}

/** Each organization is read as of one moment, one after the other. */
export type Simulations = {
  /** Writes nothing. Throws InvalidRequest, InvalidFields, NotFound or StoreError. */
  readonly simulate: (request: SimulationRequest, options?: ReadingOptions) => Promise<Simulation>
  /**
   * Does what a simulation with this hash has shown. Repeating it goes on where an interrupted run has ended. Throws Conflict before
   * anything is written if other charges would be made than it has shown, or if for an organization that has messages the card is
   * not in force for the whole range, or a part of it is closed.
   */
  readonly apply: (request: SimulationRequest, hash: string, options?: ReadingOptions) => Promise<ChargedAnew>
}

export type SimulationNeeds = {
  readonly ledger: Pick<Ledger, 'read' | 'append'>
  readonly cards: Pick<Cards, 'inForceNow' | 'appendBy'>
  readonly compiledCards: Pick<CompiledCards, 'byVersion'>
  readonly rateCards: Pick<StoredCards, 'find'>
  readonly pricer: Pick<Pricer, 'priceAgain'>
  readonly clock: () => EpochMs
}

/** Each takes a processor while it runs. */
const AT_ONCE = 2

export const createSimulations = (needs: SimulationNeeds): Simulations => {
  const { ledger, cards, compiledCards, rateCards, clock } = needs
  const chargeAnew = createChargingAnew(needs)
  let underWay = 0

  const alone = async <T>(work: () => Promise<T>): Promise<T> => {
    if (underWay >= AT_ONCE)
      throw new StoreBusy(`${AT_ONCE} simulations are in progress. Try again once one has ended.`)
    underWay++
    return work().finally(() => underWay--)
  }

  const rangeIn = (
    organization: Organization,
    { organizations, ...range }: SimulationRequest,
    time: EpochMs,
  ): Range => {
    const { start, end } = periodAt(organization.calendar, time)
    try {
      return rangeOf({ organization, time, current: { from: start, to: end } }, range)
    } catch (error) {
      if (!(error instanceof UnknownPeriod) || organizations.length === 1) throw error
      throw new InvalidRequest(
        error.field,
        `${error.expected} for each organization: for "${organization.id}", none does`,
      )
    }
  }

  /** In the order of the ids. An organization that is named twice is one. */
  const partsIn = (request: SimulationRequest): readonly Part[] => {
    const time = clock()
    const distinct = new Map(request.organizations.map((organization) => [organization.id, organization]))
    return [...distinct.values()]
      .sort(({ id: one }, { id: other }) => (one < other ? -1 : 1))
      .map((organization) => ({ organization, range: rangeIn(organization, request, time) }))
  }

  const withMessages = async (parts: readonly Part[], { signal }: ReadingOptions): Promise<readonly CountedPart[]> => {
    const counted: CountedPart[] = []
    for (const part of parts) {
      const messages = await countMessages(ledger, part, signal)
      if (messages > 0) counted.push({ ...part, messages })
    }
    return counted
  }

  const stored = async (version: string): Promise<OtherCard | undefined> => {
    const [found, card] = await Promise.all([rateCards.find(version), compiledCards.byVersion(version)])
    return found && card && { card, hash: found.hash, chargedAs: version }
  }

  const cardOf = async (rateCard: unknown): Promise<OtherCard> => {
    if (typeof rateCard !== 'string') {
      const card = readCard(rateCard, 'rate_card')
      const hash = cardHash(card)
      const known = await stored(card.version)
      return known?.hash === hash ? known : { card: compileCard(card), hash }
    }
    if (!isPlainText(rateCard)) throw new InvalidRequest('rate_card', PLAIN_TEXT)
    const known = await stored(rateCard)
    if (known === undefined) throw new NotFound(`There is no rate card ${JSON.stringify(rateCard.slice(0, 100))}.`)
    return known
  }

  /** Each part is compared by itself, because it is read again if it changes meanwhile. */
  const compare = async (
    counted: readonly CountedPart[],
    other: OtherCard,
    { signal, progress }: ReadingOptions,
  ): Promise<Compared> => {
    const all = new Comparison()
    const reasons = new Map<string, number>()
    const hash = createHash('sha256').update(other.hash)
    const parts: ComparedPart[] = []
    const total = counted.reduce((sum, { messages }) => sum + messages, 0)
    let before = 0
    for (const part of counted) {
      const { organization, range } = part
      const about = [organization.id, range.from, range.to]
      const { result, closedUntil } = await readAtOneMoment(
        ledger,
        organization,
        range,
        () => {
          const pricing = createPricingAgain(other, about)
          const comparison = new Comparison()
          return { take: (charges) => comparison.add(part, charges, pricing.price(charges)), pricing, comparison }
        },
        { signal, progress: progress && ((done) => progress(before + done, Math.max(total, before + done))) },
      )
      before += part.messages
      all.addAll(result.comparison)
      const priced = result.pricing.result()
      if (priced.hash !== undefined) hash.update(priced.hash)
      for (const [reason, messages] of priced.reasons) addReason(reasons, reason, messages)
      parts.push({ ...part, byAnother: priced.byAnother, closedUntil })
    }
    return { parts, comparison: all, reasons, hash: hash.digest('hex') }
  }

  /** Throws Conflict. */
  const checkInForce = async ({ organization: { id }, range }: Part, { card }: OtherCard): Promise<void> => {
    const other = otherCardIn(await cards.inForceNow(id), range, card.version)
    if (other === undefined) return
    const stretch = `from ${canonicalTimestamp(other.from)} to ${canonicalTimestamp(other.to)}`
    throw new Conflict(
      `The rate card "${card.version}" is not in force for all that was simulated: ${stretch}, it is "${other.version}" for the organization "${id}".`,
    )
  }

  /** Throws Conflict. */
  const checkOpen = ({ organization: { id }, range, closedUntil }: ComparedPart): void => {
    if (range.from >= closedUntil) return
    throw new Conflict(
      `Closed periods never change, and everything of the organization "${id}" before ${canonicalTimestamp(closedUntil)} is closed. Simulate what is later.`,
    )
  }

  return {
    simulate: (request, options = {}) =>
      alone(async () => {
        const parts = partsIn(request)
        const other = await cardOf(request.rateCard)
        const { comparison, hash, reasons, ...rest } = await compare(await withMessages(parts, options), other, options)
        return {
          ...comparison.result(),
          hash,
          reasons,
          asked: parts.map(({ organization }) => organization),
          rateCard: { version: other.card.version, hash: other.hash },
          byAnother: byAnotherIn(rest.parts),
          from: parts.reduce((least, { range }) => Math.min(least, range.from), Number.POSITIVE_INFINITY),
          to: parts.reduce((most, { range }) => Math.max(most, range.to), Number.NEGATIVE_INFINITY),
        }
      }),

    apply: (request, expected, options = {}) =>
      alone(async () => {
        const parts = partsIn(request)
        const other = await cardOf(request.rateCard)
        if (other.chargedAs === undefined)
          throw new Conflict(`The rate card "${other.card.version}" is not stored as it was simulated. Store it first.`)
        const counted = await withMessages(parts, options)
        for (const part of counted) await checkInForce(part, other)
        const compared = await compare(counted, other, options)
        for (const part of compared.parts) checkOpen(part)
        if (compared.hash !== expected)
          throw new Conflict(
            'What was simulated has changed since, or is not what this request names. Simulate it again.',
          )
        return chargeAnew(compared.parts, other, options)
      }),
  }
}

const byAnotherIn = (parts: readonly ComparedPart[]): number => parts.reduce((sum, each) => sum + each.byAnother, 0)

type CountedPart = Part & { readonly messages: number }

type ComparedPart = Part & {
  /** How many messages are charged by another card. */
  readonly byAnother: number
  readonly closedUntil: EpochMs
}

type Compared = Pick<Simulation, 'hash' | 'reasons'> & {
  readonly parts: readonly ComparedPart[]
  readonly comparison: Comparison
}
