/** What follows for one message of an append, given the charges that the ledger has of it. */
import { type Cell, isSameCell } from '#model/cell.ts'
import { type Credits, credits } from '#model/credits.ts'
import type { EpochMs } from '#model/organization.ts'

/** A charge that counts. A message has one, unless its charge was adjusted after its period was closed. */
export type Counted = {
  readonly revision: number
  /** Negative if an adjustment lowered what the message costs. */
  readonly credits: number
  readonly dayStart: EpochMs
  readonly timestamp: string
  readonly cell: Cell
  readonly digest: Uint8Array
}

/** The message as it is reported now. */
export type Reported = Omit<Counted, 'revision'>

export type Settled =
  | { readonly status: 'duplicate' | 'conflict'; readonly credits: Credits }
  | {
      readonly status: 'accepted' | 'amended'
      readonly credits: Credits
      readonly revision: number
      /** Revisions that no longer count. */
      readonly supersedes: readonly number[]
      /** The credits to record: the difference to what stays charged in closed periods. */
      readonly charged: number
      /** Whether it is recorded as an adjustment, at the start of the open period. */
      readonly isAdjustment: boolean
    }

/**
 * `counted` holds the charges of the message that count, in order of their revisions.
 *
 * A charge whose period is closed stays. For example, a message was charged 5 in October, October was closed, and the upstream
 * now lists it with a report of 3: it is amended by an adjustment of −2 in November. If the upstream corrects the report to 4
 * before November is closed, that adjustment is superseded by one of −1.
 */
export const settle = (
  counted: readonly Counted[],
  reported: Reported,
  { onChange, closedUntil }: { readonly onChange: 'refuse' | 'amend'; readonly closedUntil: EpochMs },
): Settled => {
  const latest = counted.at(-1)
  const isLate = reported.dayStart < closedUntil
  if (latest === undefined) {
    const amount = credits(reported.credits)
    return { status: 'accepted', credits: amount, revision: 0, supersedes: [], charged: amount, isAdjustment: isLate }
  }
  const present = credits(counted.reduce((sum, each) => sum + each.credits, 0))
  const isSameContent = Buffer.compare(latest.digest, reported.digest) === 0
  if (isSameContent && (onChange === 'refuse' || isSameCharge(latest, present, reported))) {
    return { status: 'duplicate', credits: present }
  }
  if (onChange === 'refuse') return { status: 'conflict', credits: present }
  const kept = counted.filter(({ dayStart }) => dayStart < closedUntil)
  const keptCredits = kept.reduce((sum, each) => sum + each.credits, 0)
  return {
    status: 'amended',
    credits: credits(reported.credits),
    revision: latest.revision + 1,
    supersedes: counted.filter(({ dayStart }) => dayStart >= closedUntil).map(({ revision }) => revision),
    charged: reported.credits - keptCredits,
    isAdjustment: isLate || kept.length > 0,
  }
}

/** Whether everything that is shown of the charge is the same. */
const isSameCharge = (latest: Counted, present: Credits, reported: Reported): boolean =>
  present === reported.credits && latest.timestamp === reported.timestamp && isSameCell(latest.cell, reported.cell)
