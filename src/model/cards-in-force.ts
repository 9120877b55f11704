/** Which rate card prices a message: the one that is in force at the message's own instant. */
import { CALENDAR_BEGINS, type EpochMs } from './organization.ts'

/** A rate card, by its version, and the instant from which it is used. */
export type CardAssignment = {
  readonly from: EpochMs
  readonly version: string
  /**
   * Present if it prices only messages that the card in force does not: the end of what was closed when it was put in force. Without
   * an end, it would go on to price what nobody has looked at.
   */
  readonly until?: EpochMs
}

/**
 * What decides about the cards of one organization. Lists ascend by `from`, and no two entries of one kind have the same; one for
 * unpriced messages comes after another from the same instant.
 */
export type CardsInForce = {
  readonly own: readonly CardAssignment[]
  /** Those of the installation, for instants before the first of its own. */
  readonly byDefault: readonly CardAssignment[]
  /** Grows with every change to either list. */
  readonly version: number
}

type Assigned = Pick<CardsInForce, 'own' | 'byDefault'>

/** In force as long as no other card is. */
export const FIRST_CARD = 'standard-2024'

/** The version of the card that is in force at an instant. */
export const cardAt = ({ own, byDefault }: Assigned, at: EpochMs): string =>
  latestAt(own, at) ?? latestAt(byDefault, at) ?? FIRST_CARD

const latestAt = (assignments: readonly CardAssignment[], at: EpochMs): string | undefined =>
  assignments.findLast(({ from, until }) => from <= at && until === undefined)?.version

/**
 * The version of the card for messages that the card in force does not price. An organization that uses a card of its own is not
 * priced by the installation's.
 */
export const cardForUnpricedAt = ({ own, byDefault }: Assigned, at: EpochMs): string | undefined =>
  forUnpricedAt(own, at) ?? (latestAt(own, at) === undefined ? forUnpricedAt(byDefault, at) : undefined)

const forUnpricedAt = (assignments: readonly CardAssignment[], at: EpochMs): string | undefined =>
  assignments.findLast(({ from, until }) => until !== undefined && from <= at && at < until)?.version

export const compareAssignments = (one: CardAssignment, other: CardAssignment): number =>
  one.from - other.from || Number(one.until !== undefined) - Number(other.until !== undefined)

/** In force from an instant up to the next one, or to `until`; `isDefault` if the organization has not chosen it. */
export type CardInForce = CardAssignment & { readonly isDefault: boolean }

/** All that are ever in force for all messages, ascending, from the beginning of time on. */
export const timelineOf = ({ own, byDefault }: Assigned): readonly CardInForce[] => {
  const [ownOfAll, byDefaultOfAll] = [own.filter(isForAll), byDefault.filter(isForAll)]
  const first = ownOfAll[0]?.from ?? Number.POSITIVE_INFINITY
  const all = [
    { from: CALENDAR_BEGINS, version: FIRST_CARD, isDefault: true },
    ...byDefaultOfAll.filter(({ from }) => from < first).map((each) => ({ ...each, isDefault: true })),
    ...ownOfAll.map((each) => ({ ...each, isDefault: false })),
  ]
  return all.filter(({ from }, index) => from !== all[index + 1]?.from)
}

/** The stretches in which a card is in force for unpriced messages, ascending. No two overlap. */
export const timelineForUnpriced = (cards: Assigned): readonly (CardInForce & { readonly until: EpochMs })[] => {
  const { own, byDefault } = cards
  const bounds = [...own, ...byDefault].flatMap(({ from, until }) => (until === undefined ? [from] : [from, until]))
  const instants = [...new Set(bounds)].sort((one, other) => one - other)
  const stretches: (CardInForce & { readonly until: EpochMs })[] = []
  for (const [index, from] of instants.entries()) {
    const [version, until] = [cardForUnpricedAt(cards, from), instants[index + 1]]
    // After the last bound, no such card is in force.
    if (version === undefined || until === undefined) continue
    const isDefault = forUnpricedAt(own, from) === undefined
    const before = stretches.at(-1)
    const isLonger = before?.until === from && before.version === version && before.isDefault === isDefault
    if (isLonger) stretches[stretches.length - 1] = { ...before, until }
    else stretches.push({ from, version, until, isDefault })
  }
  return stretches
}

const isForAll = ({ until }: CardAssignment): boolean => until === undefined
