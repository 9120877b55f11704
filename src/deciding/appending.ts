/** What follows for one message of an append, given the charges that the ledger has of it. */
import type { AppendBatch } from '#ledger/ledger.ts'
import { type Cell, isSameCell } from '#model/cell.ts'
import { type Credits, credits } from '#model/credits.ts'
import type { Outcome } from '#model/facts.ts'
import type { EpochMs } from '#model/organization.ts'

/** A charge that counts. A message has one, unless its charge was adjusted after its period was closed. */
export type Counted = {
  readonly revision: number
  /** Negative if an adjustment lowered what the message costs; undefined if the message was unpriced. */
  readonly credits: number | undefined
  readonly dayStart: EpochMs
  readonly timestamp: string
  readonly cell: Cell
  readonly digest: Uint8Array
}

/** The message as it is reported now. */
export type Reported = Omit<Counted, 'revision'>

export type Settled =
  | ({ readonly status: 'duplicate' } & Cost)
  | ({
      readonly status: 'conflict'
      /** The outcome that holds, if the message is reported with another one. */
      readonly outcome?: Outcome
    } & Cost)
  | ({
      readonly status: 'accepted' | 'amended'
      readonly revision: number
      /** Revisions that no longer count. */
      readonly supersedes: readonly number[]
      /** The credits to record: the difference to what stays charged in closed periods. Undefined if there is no price. */
      readonly charged: number | undefined
      /** Whether it is recorded as an adjustment, at the start of the open period. */
      readonly isAdjustment: boolean
    } & Cost)

/** What the message costs now; absent if it is unpriced. */
type Cost = { readonly credits?: Credits }

/**
 * `counted` holds the charges of the message that count, in order of their revisions.
 *
 * A charge whose period is closed stays. For example, a message was charged 5 in October, October was closed, and the upstream
 * now lists it with a report of 3: it is amended by an adjustment of −2 in November. If the upstream corrects the report to 4
 * before November is closed, that adjustment is superseded by one of −1.
 *
 * A message that cannot be priced any more keeps what is charged in closed periods: its adjustment has no credits and changes no
 * sum. Once it has a price again, the difference is charged.
 */
export const settle = (
  counted: readonly Counted[],
  reported: Reported,
  how: Pick<AppendBatch, 'onChange'> & {
    readonly closedUntil: EpochMs
    /** For `recharge`: the revision that may be superseded. */
    readonly pricedFrom?: number | undefined
  },
): Settled => {
  const { onChange, closedUntil, pricedFrom } = how
  const latest = counted.at(-1)
  const isLate = reported.dayStart < closedUntil
  if (latest === undefined) {
    const cost = costOf(reported.credits)
    return { status: 'accepted', ...cost, revision: 0, supersedes: [], charged: cost.credits, isAdjustment: isLate }
  }
  const present = costOf(latest.credits === undefined ? undefined : sumOf(counted))
  const isSameContent = Buffer.compare(latest.digest, reported.digest) === 0
  const mayAmend = {
    refuse: false,
    amend: true,
    price: isSameContent && mayPrice(latest, reported, closedUntil),
    recharge: isSameContent && !isLate && latest.revision === pricedFrom && latest.timestamp === reported.timestamp,
  }[onChange]
  if (isSameContent && (!mayAmend || isSameCharge(latest, present.credits, reported))) {
    return { status: 'duplicate', ...present }
  }
  if (!mayAmend) {
    const isSameOutcome = latest.cell.outcome === reported.cell.outcome
    return { status: 'conflict', ...present, ...(!isSameOutcome && { outcome: latest.cell.outcome ?? 'succeeded' }) }
  }
  const kept = counted.filter(({ dayStart }) => dayStart < closedUntil)
  return {
    status: 'amended',
    ...costOf(reported.credits),
    revision: latest.revision + 1,
    supersedes: counted.filter(({ dayStart }) => dayStart >= closedUntil).map(({ revision }) => revision),
    charged: reported.credits === undefined ? undefined : reported.credits - sumOf(kept),
    isAdjustment: isLate || kept.length > 0,
  }
}

const costOf = (amount: number | undefined): Cost => (amount === undefined ? {} : { credits: credits(amount) })

const sumOf = (charges: readonly Counted[]): number => charges.reduce((sum, each) => sum + (each.credits ?? 0), 0)

/**
 * What was priced or amended since it was read stays. A message that still has no price becomes one of the card in force, so that
 * the reason shown is that card's, unless its period is closed.
 */
const mayPrice = (latest: Counted, reported: Reported, closedUntil: EpochMs): boolean =>
  latest.credits === undefined &&
  latest.timestamp === reported.timestamp &&
  (reported.credits !== undefined || latest.dayStart >= closedUntil)

/** Whether everything that is shown of the charge is the same. */
const isSameCharge = (latest: Counted, present: Credits | undefined, reported: Reported): boolean =>
  present === reported.credits && latest.timestamp === reported.timestamp && isSameCell(latest.cell, reported.cell)
