/** Turns a rate card into the function that prices messages: quotes, charges, explanations and simulations all call it. */
import type { Card } from '#model/card.ts'
import type { ChargeLine, Pricing, Unpriced } from '#model/charge.ts'
import type { Credits } from '#model/credits.ts'
import type { Facts } from '#model/facts.ts'
import { amountOf, checked, MILLION, packagesOf } from './amounts.ts'
import { toChargeLine } from './charge-line.ts'
import { hold } from './conditions.ts'
import { type CountedFact, createCountedFact } from './counted-facts.ts'
import { TOKEN_KINDS } from './fact-names.ts'
import type { LinePlan } from './line-plan.ts'
import { type CasePlan, type FactorPlan, type ModelPlan, planCard, type RowPlan } from './plan.ts'
import { bitsOf, SlotNames } from './slots.ts'
import { textSum } from './text-sum.ts'

export type CompiledCard = {
  readonly version: string
  /** Throws AmountTooLarge if an amount does not fit a charge. */
  readonly price: (facts: Facts) => Pricing
  /** The credits of `price` without its lines, in a fraction of the time. Throws the same. */
  readonly total: (facts: Facts) => Credits | Unpriced
  readonly countedFact: CountedFact
}

export const compileCard = (card: Card): CompiledCard => {
  const { version } = card
  const names = new SlotNames()
  const { models, cases, outcomes } = planCard(card, names)
  const slots = names.createSlots()
  const { values } = slots

  const modelOf = ({ model }: Facts): ModelPlan | undefined => (model === undefined ? undefined : models.get(model))

  /** The case that prices the message, whose facts are in the slots afterwards. */
  const caseOf = (facts: Facts, known: ModelPlan | undefined): CasePlan | undefined => {
    slots.load(facts, known === undefined ? slots.codeOf(facts.model) : known.code)
    for (let index = 0; index < cases.length; index++) {
      const each = cases[index] as CasePlan
      if (hold(each.when, slots)) return each
    }
    return undefined
  }

  /** Prices the facts in the slots, and adds each line to `into` if it is given. */
  const charge = (
    facts: Facts,
    known: ModelPlan | undefined,
    own: CasePlan,
    into: ChargeLine[] | undefined,
  ): Credits | Unpriced => {
    const { lines } = own
    let total = 0
    let isAnyApplied = lines.length === 0
    let reachedKinds = 0
    let row: RowPlan | undefined
    for (let index = 0; index < lines.length; index++) {
      const line = lines[index] as LinePlan
      if (!hold(line.when, slots)) continue
      const { constant } = line
      if (constant !== undefined) {
        isAnyApplied = true
        into?.push(constant)
        total = checked(total + constant.credits)
        continue
      }
      const present = values[line.slot] as number
      if (present < 0) continue
      isAnyApplied = true
      reachedKinds |= line.reachedKinds
      const { band } = line
      const quantity = band === undefined ? present : slots.words(band.from, band.to)
      if (quantity === 0) continue
      let { rate } = line
      if (line.column >= 0) {
        row ??= known?.rows.find(({ when }) => hold(when, slots))
        const price = row?.prices[line.column]
        if (price === undefined) return withoutPrice(facts, known, row, line)
        rate = price
      }
      const packages = line.isStarted ? packagesOf(quantity, line.per) : 0
      const amount = checked(amountOfLine(line, quantity, rate, packages))
      into?.push(toChargeLine(line, quantity, rate, packages, amount))
      total = checked(total + amount)
    }
    if (!isAnyApplied) return unpriced('no-line', `no line of the case "${own.name}" applies`)
    if (own.pricesTokens && (slots.broughtKinds & ~reachedKinds) !== 0) return withoutLine(own, reachedKinds)
    return finished(total, facts, own, into)
  }

  const finished = (sum: number, facts: Facts, own: CasePlan, into: ChargeLine[] | undefined): Credits => {
    const { multiply } = own
    let total = sum
    if (total < own.minimum) total = fillUp(total, own.minimum, into)
    for (let index = 0; index < multiply.length; index++) total = multiplied(total, multiply[index], into)
    if (outcomes.size > 0) total = multiplied(total, outcomes.get(facts.outcome ?? 'succeeded'), into)
    return total as Credits
  }

  const fillUp = (total: number, minimum: number, into: ChargeLine[] | undefined): number => {
    const amount = checked(minimum - total) as Credits
    into?.push({ rule: 'minimum', quantity: 1, rate: amount, credits: amount })
    return minimum
  }

  const multiplied = (total: number, factor: FactorPlan | undefined, into: ChargeLine[] | undefined): number => {
    if (factor === undefined || factor.more === 0 || !hold(factor.when, slots)) return total
    // A negative share of nothing would be -0.
    const amount = (checked(amountOf(factor.more, total, MILLION)) + 0) as Credits
    into?.push({ rule: factor.rule, quantity: factor.more / MILLION, rate: total as Credits, credits: amount })
    return checked(total + amount)
  }

  const unpriced = (code: Unpriced['code'], reason: string): Unpriced => ({
    status: 'unpriced',
    code,
    reason: `${reason} in the card ${version}`,
  })

  const withoutLine = ({ name }: CasePlan, reachedKinds: number): Unpriced =>
    unpriced(
      'tokens-without-line',
      `no line of the case "${name}" prices ${kindsIn(slots.broughtKinds & ~reachedKinds).join(' or ')}`,
    )

  const withoutPrice = (
    { model }: Facts,
    known: ModelPlan | undefined,
    row: RowPlan | undefined,
    { rule, price }: LinePlan,
  ): Unpriced => {
    const name = JSON.stringify(model)
    if (model === undefined)
      return unpriced('no-model', `the message names no model, on which the price of "${rule}" depends`)
    if (known === undefined) return unpriced('model-without-price', `the model ${name} has no price`)
    if (row === undefined) return unpriced('no-row', `the model ${name} has no price for a message like this one`)
    return unpriced('no-column', `the model ${name} has no price "${price}"`)
  }

  /** Of the facts in the slots. */
  const unusedOf = ({ quantities }: Facts, { lines, pricesTokens }: CasePlan): readonly string[] => {
    const kinds = pricesTokens || slots.broughtKinds === 0 ? NONE : kindsIn(slots.broughtKinds)
    if (quantities === undefined) return kinds
    const isUsed = (name: string) => lines.some((line) => line.of === name && hold(line.when, slots))
    const names = Object.keys(quantities).filter((name) => (quantities[name] ?? 0) > 0 && !isUsed(name))
    return [...kinds, ...names.sort()]
  }

  return {
    version,
    countedFact: createCountedFact(card),
    price: (facts) => {
      const known = modelOf(facts)
      const own = caseOf(facts, known)
      if (own === undefined) return unpriced('no-case', 'no case holds')
      const lines: ChargeLine[] = []
      const credits = charge(facts, known, own, lines)
      if (typeof credits !== 'number') return credits
      const unused = unusedOf(facts, own)
      const { model: reported } = facts
      if (reported === undefined) return { status: 'priced', credits, case: own.name, lines, unused }
      const model = { reported, priced: known === undefined ? reported : known.name }
      return { status: 'priced', credits, case: own.name, lines, unused, model }
    },
    total: (facts) => {
      const known = modelOf(facts)
      const own = caseOf(facts, known)
      if (own === undefined) return unpriced('no-case', 'no case holds')
      const sum = own.textSum === undefined || facts.measurement === undefined ? undefined : textSum(own.textSum, slots)
      return sum === undefined ? charge(facts, known, own, undefined) : finished(sum, facts, own, undefined)
    },
  }
}

const amountOfLine = (
  { isProduct, isStarted, per }: LinePlan,
  quantity: number,
  rate: number,
  packages: number,
): number => {
  if (isProduct) return quantity * rate
  return isStarted ? amountOf(packages, rate, 1) : amountOf(quantity, rate, per)
}

const NONE: readonly string[] = []
const kindsIn = (bits: number): readonly string[] => TOKEN_KINDS.filter((kind) => (bits & bitsOf([kind])) !== 0)
