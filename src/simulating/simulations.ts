/** What messages would cost by another rate card, and charging them anew once that card is in force. */
import { type RangeQuery, rangeOf } from '#answering/usage-range.ts'
import { periodAt } from '#calendar/periods.ts'
import type { Cards } from '#intake/cards-in-force.ts'
import type { CompiledCards } from '#intake/compiled-cards.ts'
import { readCard } from '#intake/incoming-card.ts'
import type { Pricer } from '#intake/pricing.ts'
import type { StoredCards } from '#intake/stored-cards.ts'
import type { Ledger, Range } from '#ledger/ledger.ts'
import { Conflict, InvalidRequest, NotFound, StoreBusy } from '#model/errors.ts'
import type { EpochMs, Organization } from '#model/organization.ts'
import { isPlainText, PLAIN_TEXT } from '#model/plain-text.ts'
import { canonicalTimestamp } from '#model/timestamp.ts'
import { cardHash } from '#rating/card-hash.ts'
import { compileCard } from '#rating/compile-card.ts'
import { type ChargedAnew, createChargingAnew } from './charging-anew.ts'
import { type Compare, createComparison } from './comparison.ts'
import { otherCardIn } from './in-force.ts'
import { type ReadingOptions, readAtOneMoment } from './one-moment.ts'
import { createPricingAgain, type OtherCard } from './pricing-again.ts'

export type Simulation = Range &
  ReturnType<Compare['result']> & {
    /** Identifies the card, the range, and every charge by another card with what the message would cost. */
    readonly hash: string
    readonly organization: Organization
    readonly rateCard: { readonly version: string; readonly hash: string }
    /** How many messages are charged by another card. */
    readonly byAnother: number
    /** Why messages would have no price, with the number of messages. */
    readonly reasons: ReadonlyMap<string, number>
  }

/** `rateCard` is the version of a stored card, or a whole card. The range is the current period unless it is given. */
export type SimulationRequest = RangeQuery & { readonly rateCard: unknown }

export type Simulations = {
  /** Writes nothing. Throws InvalidRequest, InvalidFields, NotFound or StoreError. */
  readonly simulate: (
    organization: Organization,
    request: SimulationRequest,
    options?: ReadingOptions,
  ) => Promise<Simulation>
  /**
   * Does what a simulation with this hash has shown. Repeating it goes on where an interrupted run has ended. Throws Conflict if
   * other charges would be made than it has shown, if the card is not in force for the whole range, or if a part of it is closed.
   */
  readonly apply: (
    organization: Organization,
    request: SimulationRequest,
    hash: string,
    options?: ReadingOptions,
  ) => Promise<ChargedAnew>
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

  const rangeIn = (organization: Organization, request: SimulationRequest): Range => {
    const time = clock()
    const { start, end } = periodAt(organization.calendar, time)
    return rangeOf({ organization, time, current: { from: start, to: end } }, request)
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

  const simulateBy = async (
    organization: Organization,
    { from, to }: Range,
    other: OtherCard,
    options?: ReadingOptions,
  ): Promise<{ readonly simulation: Simulation; readonly closedUntil: EpochMs }> => {
    const about = [organization.id, from, to, other.hash]
    const { result, closedUntil } = await readAtOneMoment(
      ledger,
      organization,
      { from, to },
      () => {
        const pricing = createPricingAgain(other, about)
        const comparison = createComparison()
        return { take: (charges) => comparison.add(charges, pricing.price(charges)), pricing, comparison }
      },
      options,
    )
    const rateCard = { version: other.card.version, hash: other.hash }
    const simulation = {
      ...result.comparison.result(),
      ...result.pricing.result(),
      organization,
      rateCard,
      from,
      to,
    }
    return { simulation, closedUntil }
  }

  /** Throws Conflict. */
  const checkInForce = async (organizationId: string, range: Range, { card, chargedAs }: OtherCard): Promise<void> => {
    const name = `The rate card "${card.version}"`
    if (chargedAs === undefined) throw new Conflict(`${name} is not stored as it was simulated. Store it first.`)
    const other = otherCardIn(await cards.inForceNow(organizationId), range, card.version)
    if (other === undefined) return
    const stretch = `from ${canonicalTimestamp(other.from)} to ${canonicalTimestamp(other.to)}`
    throw new Conflict(`${name} is not in force for all that was simulated: ${stretch}, it is "${other.version}".`)
  }

  return {
    simulate: (organization, request, options) =>
      alone(async () => {
        const range = rangeIn(organization, request)
        return (await simulateBy(organization, range, await cardOf(request.rateCard), options)).simulation
      }),

    apply: (organization, request, hash, options) =>
      alone(async () => {
        const range = rangeIn(organization, request)
        const other = await cardOf(request.rateCard)
        await checkInForce(organization.id, range, other)
        const { simulation, closedUntil } = await simulateBy(organization, range, other, options)
        if (range.from < closedUntil)
          throw new Conflict(
            `Closed periods never change, and everything before ${canonicalTimestamp(closedUntil)} is closed. Simulate what is later.`,
          )
        if (simulation.hash !== hash)
          throw new Conflict(
            'What was simulated has changed since, or is not what this request names. Simulate it again.',
          )
        return chargeAnew(organization, range, other, simulation.byAnother, options)
      }),
  }
}
