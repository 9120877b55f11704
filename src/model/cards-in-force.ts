/** Which rate card prices a message: the one that is in force at the message's own instant. */
import { CALENDAR_BEGINS, type EpochMs } from './organization.ts'

/** A rate card, by its version, and the instant from which it is used. */
export type CardAssignment = { readonly from: EpochMs; readonly version: string }

/** What decides about the cards of one organization. Lists ascend by `from`, and no two entries have the same. */
export type CardsInForce = {
  readonly own: readonly CardAssignment[]
  /** Those of the installation, for instants before the first of its own. */
  readonly byDefault: readonly CardAssignment[]
  /** Grows with every change to either list. */
  readonly version: number
}

/** In force as long as no other card is. */
export const FIRST_CARD = 'standard-2024'

/** The version of the card that is in force at an instant. */
export const cardAt = ({ own, byDefault }: Pick<CardsInForce, 'own' | 'byDefault'>, at: EpochMs): string =>
  latestAt(own, at) ?? latestAt(byDefault, at) ?? FIRST_CARD

const latestAt = (assignments: readonly CardAssignment[], at: EpochMs): string | undefined =>
  assignments.findLast(({ from }) => from <= at)?.version

/** In force from an instant up to the next one; `isDefault` if the organization has not chosen it. */
export type CardInForce = CardAssignment & { readonly isDefault: boolean }

/** All that are ever in force, ascending, from the beginning of time on. */
export const timelineOf = ({ own, byDefault }: Pick<CardsInForce, 'own' | 'byDefault'>): readonly CardInForce[] => {
  const first = own[0]?.from ?? Number.POSITIVE_INFINITY
  const all = [
    { from: CALENDAR_BEGINS, version: FIRST_CARD, isDefault: true },
    ...byDefault.filter(({ from }) => from < first).map((each) => ({ ...each, isDefault: true })),
    ...own.map((each) => ({ ...each, isDefault: false })),
  ]
  return all.filter(({ from }, index) => from !== all[index + 1]?.from)
}
