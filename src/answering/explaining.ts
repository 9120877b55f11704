/** Why a message cost what it did: its facts are priced again by the card that priced them, and the result must be the same. */
import { type CardsInForce, cardAt, cardForUnpricedAt } from '#model/cards-in-force.ts'
import type { Pricing } from '#model/charge.ts'
import { type Credits, credits } from '#model/credits.ts'
import { StoreError } from '#model/errors.ts'
import type { Facts } from '#model/facts.ts'
import type { RecordedLine, StoredCharge } from '#model/usage-record.ts'
import { factsOfCharge, pricingOf } from '#rating/charged-facts.ts'
import type { CompiledCard } from '#rating/compile-card.ts'

/** Finds a card that has ever priced a message, by its version. Throws StoreError. */
export type CardOf = (version: string) => Promise<CompiledCard | undefined>

/** Which cards an organization uses from when on. Throws StoreError. */
export type CardsOf = (organizationId: string) => Promise<Pick<CardsInForce, 'own' | 'byDefault'>>

/** A charge, the facts from which it was computed, and how: its lines add up to the amount charged. */
export type ExplainedCharge = {
  readonly stored: StoredCharge
  readonly facts: Facts
  readonly pricing: Pricing
  /** What the message costs, if that is not the amount charged, because a part stays charged in a closed period. */
  readonly costs?: Credits
  /** If a card for unpriced messages priced it: the card that was in force for all, and why that had no price. */
  readonly unpricedBy?: { readonly rateCard: string; readonly reason: string }
}

/** `unpriced` says why there is no price, if there is none. */
export type ExplainedLine = RecordedLine & { readonly unpriced?: string }

/** `charges` are all charges of a message. */
export const explainCharges = (
  charges: readonly StoredCharge[],
  cards: Awaited<ReturnType<CardsOf>>,
  cardOf: CardOf,
): Promise<readonly ExplainedCharge[]> =>
  Promise.all(charges.map((stored) => explainCharge(stored, staysBefore(stored.revision, charges), cards, cardOf)))

const explainCharge = async (
  stored: StoredCharge,
  stays: number,
  cards: Awaited<ReturnType<CardsOf>>,
  cardOf: CardOf,
): Promise<ExplainedCharge> => {
  const explained = priceAgain(stored, stays, await cardNamed(stored.cell.rateCard, cardOf))
  const unpricedBy = await unpricedByOf(stored, explained.facts, cards, cardOf)
  return { stored, ...explained, ...(unpricedBy && { unpricedBy }) }
}

/**
 * Prices the facts of a charge by the card that priced them. `stays` is what stays charged for the message in closed periods: it
 * is taken off, so that the lines add up to the amount charged.
 */
export const priceAgain = (
  { messageId, facts: kept, cell, credits: charged }: Pick<StoredCharge, 'messageId' | 'facts' | 'cell' | 'credits'>,
  stays: number,
  card: CompiledCard,
): Pick<ExplainedCharge, 'facts' | 'pricing' | 'costs'> => {
  const costs = charged === undefined ? undefined : credits(charged + stays)
  const facts = factsOfCharge(costs === undefined ? { facts: kept, cell } : { facts: kept, cell, credits: costs })
  const pricing = pricingOf(facts, card)
  if ((pricing.status === 'priced' ? pricing.credits : undefined) !== costs) {
    throw new Error(`the lines of message ${JSON.stringify(messageId)} do not add up to the amount charged`)
  }
  if (stays === 0 || pricing.status === 'unpriced' || costs === undefined) return { facts, pricing }
  const amount = credits(-stays)
  const lines = [...pricing.lines, { rule: 'charged-before', quantity: 1, rate: amount, credits: amount }]
  return { facts, pricing: { ...pricing, lines, credits: credits(costs - stays) }, costs }
}

/**
 * The card for all messages never changes in a closed period. So an adjustment that another card priced was priced by one for
 * unpriced messages, even if that is not in force any more.
 */
const unpricedByOf = async (
  { at, adjusts, cell, credits: charged }: StoredCharge,
  facts: Facts,
  cards: Awaited<ReturnType<CardsOf>>,
  cardOf: CardOf,
): Promise<ExplainedCharge['unpricedBy']> => {
  const instant = adjusts ?? at
  const version = cardAt(cards, instant)
  if (charged === undefined || version === cell.rateCard) return undefined
  if (adjusts === undefined && cardForUnpricedAt(cards, instant) !== cell.rateCard) return undefined
  const pricing = pricingOf(facts, await cardNamed(version, cardOf))
  return pricing.status === 'unpriced' ? { rateCard: version, reason: pricing.reason } : undefined
}

/** What earlier charges of closed periods had charged: they stay, and this one is the difference. */
export const staysBefore = (revision: number, charges: readonly StoredCharge[]): number =>
  charges
    .filter((each) => each.revision < revision && (each.supersededBy ?? Number.POSITIVE_INFINITY) > revision)
    .reduce((sum, each) => sum + (each.credits ?? 0), 0)

/** Only a line without a price has its facts. */
export const explainLine = async (line: RecordedLine, cardOf: CardOf): Promise<ExplainedLine> => {
  if (line.facts === undefined || line.credits !== undefined) return line
  const { facts, cell } = line
  const pricing = pricingOf(factsOfCharge({ facts, cell }), await cardNamed(cell.rateCard, cardOf))
  return pricing.status === 'priced' ? line : { ...line, unpriced: pricing.reason }
}

export const cardNamed = async (version: string, cardOf: CardOf): Promise<CompiledCard> => {
  const card = await cardOf(version)
  if (card === undefined) throw new StoreError(`The rate card "${version}" has priced messages but is not stored.`)
  return card
}

export const CHANGES = [
  'text',
  'facts',
  'timestamp',
  'user_id',
  'team_id',
  'report',
  'report_name',
  'price',
  'rate_card',
  'content',
] as const
export type Change = (typeof CHANGES)[number]

/**
 * What differs between one charge of a message and the next. Texts are not kept: `text` means that the measurement differs, and
 * `content` that only the digest does, which is a different text with the same measurement.
 */
export const changesBetween = (before: StoredCharge, after: StoredCharge): readonly Change[] => {
  const [old, now] = [before.cell, after.cell]
  const [oldFacts, newFacts] = [factsOfCharge(before), factsOfCharge(after)]
  const isSameReport = old.reportId === now.reportId
  const changes: Record<Exclude<Change, 'content'>, boolean> = {
    text: JSON.stringify(oldFacts.measurement) !== JSON.stringify(newFacts.measurement),
    facts: broughtIn(oldFacts) !== broughtIn(newFacts),
    timestamp: before.timestamp !== after.timestamp,
    user_id: old.member !== now.member,
    team_id: old.team !== now.team,
    report: !isSameReport,
    report_name: isSameReport && old.reportName !== now.reportName,
    price:
      before.credits !== after.credits &&
      (before.credits === undefined || after.credits === undefined || (isSameReport && old.reportId !== undefined)),
    rate_card: old.rateCard !== now.rateCard,
  }
  const found = CHANGES.filter((name) => name !== 'content' && changes[name])
  const isOtherContent = Buffer.compare(before.digest, after.digest) !== 0
  const isExplained =
    changes.text || changes.facts || changes.timestamp || changes.user_id || changes.team_id || changes.report
  return isOtherContent && !isExplained ? [...found, 'content'] : found
}

/** Packed facts are in the order of their names, so equal facts give equal texts. */
const broughtIn = ({ measurement, report, ...brought }: Facts): string => JSON.stringify(brought)
