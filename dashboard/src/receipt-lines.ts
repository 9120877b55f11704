/** What each line of a charge says: how its amount comes about, in words and numbers that a customer can check. */
import type { ruleText } from '#rating/rules.ts'
import { type Card, conditionsText, lengthsName, nounOf } from './card-sentences.ts'
import { count, credits, quantity, toMicros } from './format.ts'

/** `rate` and `credits` are in millionths of a credit. */
export type ChargeLine = {
  readonly rule: string
  readonly band?: { readonly from: number; readonly to?: number | undefined } | undefined
  readonly quantity: number
  readonly rate: number
  /** 1 if absent. */
  readonly per?: number | undefined
  readonly packages?: number | undefined
  readonly credits: number
}

export type LineText = {
  readonly name: string
  /** `17,981 characters × 0.05 = 899.05`. */
  readonly sum: string
  /** Why the line applies; empty if it always does. */
  readonly reason: string
  /** Part of everything that is added, from -1 to 1. */
  readonly share: number
}

export type ChargeContext = {
  readonly lines: readonly ChargeLine[]
  readonly rateCard: string
  readonly caseName?: string | undefined
  readonly outcome?: string | undefined
  /** Until it is known, lines are explained by their own numbers alone. */
  readonly card: Card | undefined
}

/** `textOf` has the names and reasons of rules that are the same for every card. */
export const explainLines = (context: ChargeContext, textOf: typeof ruleText): readonly LineText[] => {
  const added = context.lines.reduce((sum, line) => sum + Math.max(line.credits, 0), 0)
  let before = 0
  return context.lines.map((line) => {
    const { name, reason } = textOf(line.rule, context.rateCard)
    const isOwn = OWN_RULES.has(line.rule) && line.quantity === 1
    const text = isOwn
      ? { sum: '', reason }
      : (explainFactor(line, before, context) ?? explainCount(line, context) ?? { sum: plainSum(line, ''), reason })
    before += line.credits
    return { name, ...text, share: added === 0 ? 0 : line.credits / added }
  })
}

type Explained = Pick<LineText, 'sum' | 'reason'>

/** Lines that the service itself adds: their reason says it all. */
const OWN_RULES: ReadonlySet<string> = new Set(['minimum', 'charged-before'])

/** A line that changes the total so far: by a factor, or to the share that the outcome is charged. */
const explainFactor = (line: ChargeLine, before: number, context: ChargeContext): Explained | undefined => {
  const { card, outcome } = context
  if (card === undefined || line.rate !== before || line.per !== undefined) return undefined
  const factor = line.quantity + 1
  const own = caseOf(context)?.multiply?.find(({ rule }) => rule === line.rule)
  if (own !== undefined) {
    const sum = `${credits(before)} so far × ${quantity(factor)} ${equals(line)} ${credits(before + line.credits)}`
    return { sum, reason: own.when === undefined ? '' : `because ${conditionsText(own.when)}` }
  }
  if (outcome === undefined || line.rule !== outcome) return undefined
  const share = factor === 0 ? 'nothing' : `${quantity(factor * 100)}%`
  return { sum: `${share} of ${credits(before)} is charged`, reason: `because the outcome is “${outcome}”` }
}

const caseOf = ({ card, caseName }: ChargeContext) => card?.cases.find(({ name }) => name === caseName)

/** A line of the card that counts something, or counts once. */
const explainCount = (line: ChargeLine, context: ChargeContext): Explained | undefined => {
  const written = lineOfCard(line, context)
  if (written === undefined) {
    return line.band === undefined ? undefined : { sum: plainSum(line, bandNoun(line)), reason: '' }
  }
  const reason = written.when === undefined ? '' : `because ${conditionsText(written.when)}`
  if (written.of === undefined) return { sum: line.per === undefined ? 'once' : plainSum(line, ''), reason }
  if (written.of === 'report_credits' && line.rate === 1e6 && line.per === undefined) {
    return { sum: 'the report’s price', reason }
  }
  return { sum: plainSum(line, line.band === undefined ? nounOf(written.of) : bandNoun(line)), reason }
}

/** How the card has the line; undefined if several differ in what they count, so that it is not known which. */
const lineOfCard = (line: ChargeLine, context: ChargeContext) => {
  const alike = caseOf(context)?.lines.filter(
    ({ rule, rate, per = 1, from, to }) =>
      rule === line.rule &&
      (rate === undefined || toMicros(rate) === line.rate) &&
      per === (line.per ?? 1) &&
      from === line.band?.from &&
      (from === undefined || to === line.band?.to || (to === 32 && line.band?.to === undefined)),
  )
  const [first, ...others] = alike ?? []
  const isSure = others.every(
    ({ of, when }) => of === first?.of && JSON.stringify(when) === JSON.stringify(first?.when),
  )
  return isSure ? first : undefined
}

const bandNoun = ({ band }: ChargeLine): string =>
  band === undefined ? 'words' : `words of ${lengthsName(band.from, band.to)}`

/** `120,000 input tokens × 250.00 ÷ 1,000,000 = 30.00`. */
const plainSum = (line: ChargeLine, noun: string): string => {
  const { rate, per = 1, packages } = line
  const result = `${equals(line)} ${credits(line.credits)}`
  if (packages !== undefined) {
    const started = `${count(packages)} started ${packages === 1 ? 'package' : 'packages'} of ${count(per)}`
    return `${countOf(line.quantity, noun)} → ${started} × ${credits(rate)} ${result}`
  }
  return `${countOf(line.quantity, noun)} × ${credits(rate)}${per === 1 ? '' : ` ÷ ${count(per)}`} ${result}`
}

/** The singular of names that senders choose is not known. */
const countOf = (number: number, noun: string): string => {
  if (noun === '') return quantity(number)
  return number === 1 ? `${noun}: 1` : `${quantity(number)} ${noun}`
}

/** Whether the exact product had to be rounded to a millionth. */
const equals = (line: ChargeLine): '=' | '≈' => {
  const { quantity: amount, rate, per = 1, packages } = line
  const exact = packages === undefined ? microsOf(amount) * BigInt(rate) : BigInt(packages) * 1_000_000n * BigInt(rate)
  return exact === BigInt(line.credits) * 1_000_000n * BigInt(packages === undefined ? per : 1) ? '=' : '≈'
}

const microsOf = (amount: number): bigint =>
  Number.isSafeInteger(amount) ? BigInt(amount) * 1_000_000n : BigInt(Math.round(amount * 1e6))
