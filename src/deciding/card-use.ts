/** What follows if a rate card is used from an instant on, by an organization or by the installation. */
import type { CardUse, UsedCards } from '#ledger/commands.ts'
import type { CardAssignment } from '#model/cards-in-force.ts'
import type { EpochMs } from '#model/organization.ts'

/** `added` replaces what is used from the same instant. It is absent if nothing changes. */
export const useCard = (
  { version, from }: CardUse,
  present: readonly CardAssignment[],
  closedUntil: EpochMs,
): { readonly outcome: UsedCards; readonly added?: CardAssignment } => {
  const added = { from: from ?? closedUntil, version }
  if (added.from < closedUntil) return { outcome: { closedUntil } }
  const others = present.filter((each) => each.from !== added.from)
  const inForce = [...others, added].sort((one, other) => one.from - other.from)
  const isUsed = present.some((each) => each.from === added.from && each.version === version)
  return isUsed ? { outcome: { inForce } } : { outcome: { inForce }, added }
}
