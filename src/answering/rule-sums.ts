/** What messages have cost by the rules and cases of their rate cards. */
import type { UsageSum } from '#current-period/listing.ts'
import type { KeptCharges } from '#ledger/kept-charges.ts'
import { cellAt, creditsAt, exactSum, factsAt } from '#ledger/priced-batch.ts'
import { createCellTest } from '#model/cell.ts'
import type { ChargeLine } from '#model/charge.ts'
import type { ChargeFilter } from '#model/charge-filter.ts'
import { type CreditsSum, creditsSum } from '#model/credits.ts'
import { compareIds } from '#model/line-order.ts'
import type { Id } from '#model/report.ts'
import { MILLION, toMillionths } from '#rating/amounts.ts'
import type { CompiledCard } from '#rating/compile-card.ts'
import { priceAgain } from './explaining.ts'

/** The cases add up to the whole, and the rules of a case to its credits. Those that cost most come first. */
export type UsageByRule = UsageSum & { readonly cases: readonly CaseTotal[] }

export type CaseTotal = UsageSum & {
  readonly rateCard: string
  /** Undefined: the messages that the card has no price for. */
  readonly name: string | undefined
  readonly rules: readonly RuleTotal[]
}

export type RuleTotal = {
  readonly rule: string
  /** Those that have a line of it. */
  readonly messages: number
  readonly credits: CreditsSum
  /** What it counts and how much of it, in millionths. Undefined if it counts nothing, or not always the same. */
  readonly counted: { readonly of: string; readonly millionths: bigint } | undefined
}

export type RuleSums = ReturnType<typeof createRuleSums>

/** `cards` has every card that has charged any of the messages. */
export const createRuleSums = (filter: ChargeFilter, cards: ReadonlyMap<string, CompiledCard>) => {
  const byCard = new Map<string, CardSums>()

  const ofCard = (version: string): CardSums => {
    const card = cards.get(version)
    if (card === undefined) throw new Error(`the rate card ${JSON.stringify(version)} was not read`)
    const sums = byCard.get(version) ?? { card, unpriced: 0, cases: new Map<string, CaseSums>() }
    byCard.set(version, sums)
    return sums
  }

  return {
    /** `stays` has, by row, what stays charged for the message in closed periods. */
    add: (charges: KeptCharges, stays: ReadonlyMap<number, number>): void => {
      const isMeant = createRowTest(charges, filter)
      for (let row = 0; row < charges.count; row++) {
        if (!isMeant(row)) continue
        const cell = cellAt(charges, row)
        const sums = ofCard(cell.rateCard)
        const credits = creditsAt(charges, row)
        if (credits === undefined) {
          sums.unpriced++
          continue
        }
        const charge = { messageId: charges.messageIds[row] as Id, facts: factsAt(charges, row), cell, credits }
        const { pricing } = priceAgain(charge, stays.get(row) ?? 0, sums.card)
        if (pricing.status === 'unpriced') throw new Error('a charge with a price cannot be without one')
        caseOf(sums, pricing.case).add(credits, pricing.lines)
      }
    },
    result: (): UsageByRule => {
      const cases = [...byCard.values()].flatMap(totalsOf).sort(byCost)
      return {
        messages: cases.reduce((sum, { messages }) => sum + messages, 0),
        unpriced: cases.reduce((sum, { unpriced }) => sum + unpriced, 0),
        credits: creditsSum(cases.reduce((sum, { credits }) => sum + credits, 0n)),
        cases,
      }
    },
  }
}

/** Returns whether a row is meant. Rows of the same cell are the same in all but their credits. */
export const createRowTest = (
  { cells, countedCells, cellOf, credits }: KeptCharges,
  { minCredits, ...filter }: ChargeFilter,
): ((row: number) => boolean) => {
  const isMeant = createCellTest(filter)
  const areMeant = cells.map((cell, index) => isMeant(cell, countedCells[index]))
  // Without a price, the credits are NaN.
  return (row) =>
    areMeant[cellOf[row] as number] === true && (minCredits === undefined || (credits[row] as number) >= minCredits)
}

type CardSums = { readonly card: CompiledCard; unpriced: number; readonly cases: Map<string, CaseSums> }

const caseOf = ({ cases }: CardSums, name: string): CaseSums => {
  const known = cases.get(name)
  if (known !== undefined) return known
  const sums = new CaseSums()
  cases.set(name, sums)
  return sums
}

/** A sum stays a number for as long as that is exact. */
type Sum = number | bigint

type RuleSum = {
  messages: number
  credits: Sum
  /** The quantities: what is whole, and the others in millionths. */
  whole: Sum
  millionths: Sum
  /** The latest message that has a line of it, counted from 1. */
  latest: number
}

class CaseSums {
  messages = 0
  credits: Sum = 0
  readonly rules = new Map<string, RuleSum>()

  add(credits: number, lines: readonly ChargeLine[]): void {
    this.messages++
    this.credits = exactSum(this.credits, credits)
    for (let index = 0; index < lines.length; index++) this.#addLine(lines[index] as ChargeLine)
  }

  #addLine({ rule, quantity, credits }: ChargeLine): void {
    let sum = this.rules.get(rule)
    if (sum === undefined) {
      sum = { messages: 0, credits: 0, whole: 0, millionths: 0, latest: 0 }
      this.rules.set(rule, sum)
    }
    if (sum.latest !== this.messages) sum.messages++
    sum.latest = this.messages
    sum.credits = exactSum(sum.credits, credits)
    if (Number.isInteger(quantity)) sum.whole = exactSum(sum.whole, quantity)
    else sum.millionths = exactSum(sum.millionths, toMillionths(quantity))
  }
}

const totalsOf = ({ card, unpriced, cases }: CardSums): readonly CaseTotal[] => {
  const ofCases = [...cases].map(([name, { messages, credits, rules }]) => ({
    rateCard: card.version,
    name,
    messages,
    unpriced: 0,
    credits: creditsSum(BigInt(credits)),
    rules: [...rules].map(([rule, sum]) => toRuleTotal(rule, sum, card.countedFact(name, rule))).sort(byCost),
  }))
  if (unpriced === 0) return ofCases
  const without = { messages: unpriced, unpriced, credits: creditsSum(0n), rules: [] }
  return [...ofCases, { rateCard: card.version, name: undefined, ...without }]
}

const toRuleTotal = (
  rule: string,
  { messages, credits, whole, millionths }: RuleSum,
  of: string | undefined,
): RuleTotal => ({
  rule,
  messages,
  credits: creditsSum(BigInt(credits)),
  counted: of === undefined ? undefined : { of, millionths: BigInt(whole) * BigInt(MILLION) + BigInt(millionths) },
})

type Named = {
  readonly credits: bigint
  readonly rateCard?: string
  readonly name?: string | undefined
  readonly rule?: string
}

const byCost = (one: Named, other: Named): number => {
  if (one.credits !== other.credits) return one.credits > other.credits ? -1 : 1
  const names = ({ rateCard = '', name = '', rule = '' }: Named): string => `${rateCard}\u0000${name}\u0000${rule}`
  return compareIds(names(one), names(other))
}
