/**
 * A second, slow and obvious implementation of rate cards, in strings and BigInt. Tests compare `compileCard` with it. It shares
 * only types with it. Amounts are micro-credits; a decimal is its digits.
 */
import type { Card, Condition, Conditions } from '../src/model/card.ts'
import type { Facts } from '../src/model/facts.ts'

type Value = string | boolean | number
export type NaiveLine = readonly [rule: string, quantity: bigint, rate: bigint, credits: bigint, packages?: bigint]
export type NaivePricing =
  | {
      readonly credits: bigint
      readonly case: string
      readonly lines: readonly NaiveLine[]
      readonly unused: readonly string[]
    }
  | 'unpriced'
  | 'refused'

const KINDS = ['input_tokens', 'cache_read_tokens', 'cache_write_tokens', 'output_tokens']
const REACHES = new Map([
  ['prompt_tokens', KINDS.slice(0, 3)],
  ['total_tokens', KINDS],
])

export const naivePricing = (card: Card, facts: Facts): NaivePricing => {
  const known = naiveFacts(card, facts)
  const own = card.cases.find(({ when }) => holds(when, known))
  if (own === undefined) return 'unpriced'
  const lines: NaiveLine[] = []
  const used: string[] = []
  let applied = 0
  let total = 0n
  for (const line of own.lines) {
    const given = line.of === undefined ? 1 : known.get(line.of)
    if (typeof given !== 'number' || !holds(line.when, known)) continue
    applied++
    if (line.of !== undefined) used.push(line.of, ...(REACHES.get(line.of) ?? []))
    const counted = line.from === undefined ? given : wordsWithin(facts, line.from, line.to)
    const quantity = millionths(counted)
    if (quantity === 0n) continue
    const decimal = line.price === undefined ? line.rate : priceOf(card, known, line.price)
    if (decimal === undefined) return 'unpriced'
    const rate = millionths(decimal)
    const per = BigInt(line.per ?? 1)
    const packages = (quantity + per * 1_000_000n - 1n) / (per * 1_000_000n)
    const credits = line.started === true ? packages * rate : halfEven(quantity * rate, per * 1_000_000n)
    total += credits
    if (!fits(credits) || !fits(total)) return 'refused'
    lines.push(
      line.started === true ? [line.rule, quantity, rate, credits, packages] : [line.rule, quantity, rate, credits],
    )
  }
  if (own.lines.length > 0 && applied === 0) return 'unpriced'
  const brought = KINDS.filter((kind) => Number(known.get(kind) ?? 0) > 0)
  const pricesTokens = own.lines.some(({ of = '' }) => KINDS.includes(of) || REACHES.has(of))
  if (pricesTokens && brought.some((kind) => !used.includes(kind))) return 'unpriced'
  const minimum = millionths(own.minimum ?? 0)
  if (total < minimum) {
    if (!fits(minimum - total)) return 'refused'
    lines.push(['minimum', 1_000_000n, minimum - total, minimum - total])
    total = minimum
  }
  const outcome = facts.outcome ?? 'succeeded'
  const share = card.outcomes?.[outcome]
  const factors = [...(own.multiply ?? []), ...(share === undefined ? [] : [{ rule: outcome, by: share }])]
  for (const factor of factors) {
    const more = millionths(factor.by) - 1_000_000n
    if (more === 0n || !holds('when' in factor ? factor.when : undefined, known)) continue
    const credits = halfEven(more * total, 1_000_000n)
    lines.push([factor.rule, more, total, credits])
    total += credits
    if (!fits(credits) || !fits(total)) return 'refused'
  }
  const quantities = Object.entries(facts.quantities ?? {}).filter(([, quantity]) => quantity > 0)
  const unused = [...brought, ...quantities.map(([name]) => name).sort()].filter((name) => !used.includes(name))
  return { credits: total, case: own.name, lines, unused }
}

const naiveFacts = (card: Card, { measurement, report, model, tokens, ...rest }: Facts): Map<string, Value> => {
  const known = new Map<string, Value>([
    ...Object.entries(rest.quantities ?? {}),
    ...Object.entries(rest.attributes ?? {}),
    ['outcome', rest.outcome ?? 'succeeded'],
    ['text', measurement !== undefined],
    ['report', report?.credits !== undefined],
  ])
  if (report?.credits !== undefined) known.set('report_credits', report.credits / 1e6)
  if (model !== undefined) known.set('model', nameOf(card, model))
  if (measurement !== undefined) {
    const words = measurement.wordLengths.reduce((sum, count) => sum + count, 0)
    known.set('characters', measurement.codePoints).set('words', words).set('third_vowels', measurement.thirdVowels)
    known.set('any_words', words > 0).set('words_differ', measurement.wordsDiffer)
    known.set('palindrome', measurement.palindrome)
  }
  if (tokens !== undefined) {
    const { input, cacheRead, cacheWrite, output } = tokens
    known.set('input_tokens', input).set('cache_read_tokens', cacheRead).set('cache_write_tokens', cacheWrite)
    known.set('output_tokens', output).set('prompt_tokens', input + cacheRead + cacheWrite)
    known.set('total_tokens', input + cacheRead + cacheWrite + output)
    known.set('reasoning_tokens', tokens.reasoning).set('cache_write_1h_tokens', tokens.cacheWrite1h)
  }
  return known
}

const nameOf = ({ prices = {}, aliases = {} }: Card, model: string): string =>
  Object.hasOwn(prices, model) || !Object.hasOwn(aliases, model) ? model : (aliases[model] ?? model)

const priceOf = ({ prices = {} }: Card, known: Map<string, Value>, column: string): number | undefined => {
  const model = String(known.get('model'))
  const row =
    known.has('model') && Object.hasOwn(prices, model)
      ? prices[model]?.find(({ when }) => holds(when, known))
      : undefined
  return row?.[column] as number | undefined
}

const holds = (when: Conditions | undefined, known: Map<string, Value>): boolean =>
  Object.entries(when ?? {}).every(([name, condition]) => known.has(name) && isMet(condition, known.get(name) as Value))

const isMet = (condition: Condition, value: Value): boolean => {
  if (condition === '*') return true
  if (typeof condition !== 'object') return condition === value
  if (Array.isArray(condition)) return condition.some((each) => each === value)
  if (typeof value !== 'number') return false
  const { above, upto } = condition as { above?: number; upto?: number }
  return (above === undefined || value > above) && (upto === undefined || value <= upto)
}

const wordsWithin = ({ measurement }: Facts, from: number, to = 32): number =>
  measurement?.wordLengths
    .filter((_, index) => index + 1 >= from && index + 1 <= to)
    .reduce((sum, count) => sum + count, 0) ?? 0

const millionths = (decimal: number): bigint => {
  const [whole = '', fraction = ''] = String(decimal).split('.')
  return BigInt(`${whole}${fraction.padEnd(6, '0')}`)
}

/** The nearest whole quotient, and the even one if two are equally near. */
const halfEven = (product: bigint, divisor: bigint): bigint => {
  let low = product / divisor
  if (low * divisor > product) low -= 1n
  const [below, above] = [product - low * divisor, (low + 1n) * divisor - product]
  if (below !== above) return below < above ? low : low + 1n
  return low % 2n === 0n ? low : low + 1n
}

const fits = (amount: bigint): boolean => amount <= 2n ** 53n - 1n && amount >= -(2n ** 53n - 1n)
