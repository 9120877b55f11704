/** What follows if a rate card is used from an instant on, by an organization or by the installation. */
import type { CardUse, UsedCards } from '#ledger/commands.ts'
import { type CardAssignment, compareAssignments } from '#model/cards-in-force.ts'
import type { EpochMs } from '#model/organization.ts'

/**
 * `added` replaces what is used in the same way from the same instant. It is absent if nothing changes. What is closed is for cards
 * for unpriced messages, and what is not for all others, so no charge of a closed period changes.
 */
export const useCard = (
  { version, from: wanted, for: messages }: CardUse,
  present: readonly CardAssignment[],
  closedUntil: EpochMs,
): { readonly outcome: UsedCards; readonly added?: CardAssignment } => {
  const from = wanted ?? closedUntil
  const isClosed = from < closedUntil
  const isForUnpriced = messages === 'unpriced'
  if (isClosed !== isForUnpriced) return { outcome: { closedUntil } }
  const added = { from, version, ...(isForUnpriced && { until: closedUntil }) }
  const isAsBefore = present.some((each) => compareAssignments(each, added) === 0 && isSame(each, added))
  const others = present.filter((each) => compareAssignments(each, added) !== 0)
  const inForce = [...others, added].sort(compareAssignments)
  return isAsBefore ? { outcome: { inForce } } : { outcome: { inForce }, added }
}

const isSame = (one: CardAssignment, other: CardAssignment): boolean =>
  one.version === other.version && one.until === other.until
