/** A line of a rate card with its names resolved. */
import type { CardLine } from '#model/card.ts'
import type { ChargeLine } from '#model/charge.ts'
import { LONGEST_WORD } from '#model/measurement.ts'
import { amountOf, micros } from './amounts.ts'
import { toChargeLine } from './charge-line.ts'
import { compileConditions, type When } from './conditions.ts'
import { FACTS, isFactName, kindsReached } from './fact-names.ts'
import { bitsOf, ONCE, type SlotNames } from './slots.ts'

export type LinePlan = {
  readonly rule: string
  /** The fact that is the quantity: its name and its slot. */
  readonly of: string | undefined
  readonly slot: number
  /** 0 if the column decides. */
  readonly rate: number
  readonly price: string | undefined
  readonly column: number
  readonly per: number
  readonly isStarted: boolean
  /** For a band of word lengths, else undefined. */
  readonly band: BandPlan | undefined
  readonly when: When
  /** A bit for each kind of tokens that this line prices. */
  readonly reachedKinds: number
  /** If it is the same for every message: that line. */
  readonly constant: ChargeLine | undefined
  /** Its quantity is always whole, and its amount is that times the rate. */
  readonly isProduct: boolean
}

type BandPlan = {
  readonly from: number
  readonly to: number
  readonly shown: NonNullable<ChargeLine['band']>
}

export const planLine = (line: CardLine, columns: readonly string[], names: SlotNames): LinePlan => {
  const { rule, of, price, per = 1, started: isStarted = false } = line
  const rate = micros(line.rate ?? 0)
  const band = planBand(line)
  const amount = isStarted ? rate : amountOf(1, rate, per)
  return {
    rule,
    of,
    slot: of === undefined ? ONCE : names.slotOf(of),
    rate,
    price,
    column: price === undefined ? -1 : columns.indexOf(price),
    per,
    isStarted,
    band,
    when: compileConditions(line.when, names),
    reachedKinds: of === undefined ? 0 : bitsOf(kindsReached(of)),
    constant:
      of === undefined && price === undefined
        ? toChargeLine({ rule, per, isStarted, band }, 1, rate, 1, amount)
        : undefined,
    isProduct: of !== undefined && isWholeFact(of) && price === undefined && per === 1 && !isStarted,
  }
}

const isWholeFact = (name: string): boolean => isFactName(name) && FACTS[name] === 'count' && name !== 'report_credits'

const planBand = ({ from, to }: CardLine): BandPlan | undefined =>
  from === undefined ? undefined : { from, to: to ?? LONGEST_WORD, shown: to === undefined ? { from } : { from, to } }
