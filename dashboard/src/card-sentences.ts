/** A rate card as people read it: a table of prices, and a sentence for everything else. Nothing that the card says is left out. */
import type { FactName } from '#rating/fact-names.ts'
import type { parseCard } from '#rating/parse-card.ts'
import { count, quantity } from './format.ts'

export type Card = ReturnType<typeof parseCard>
type Case = Card['cases'][number]
type Line = Case['lines'][number]
type Conditions = NonNullable<Case['when']>
type Condition = Conditions[string]

export type CardReading = {
  readonly columns: readonly PriceColumn[]
  readonly models: readonly ModelPrices[]
  /** In order: the first that fits a message prices it. */
  readonly cases: readonly CaseReading[]
  /** What applies after the case. */
  readonly ending: readonly string[]
}

/** The prices that a name of the card stands for, and what they are the prices of. */
export type PriceColumn = { readonly name: string; readonly of: string }

export type ModelPrices = {
  readonly model: string
  /** Other names of the model. */
  readonly aliases: readonly string[]
  /** In order: the first that fits a message has its prices. */
  readonly rows: readonly PriceRow[]
}

/** `when` is undefined if the model has no other row. A column without a price is undefined, which is not free. */
export type PriceRow = { readonly when: string | undefined; readonly prices: readonly (number | undefined)[] }

export type CaseReading = {
  readonly name: string
  readonly when: string
  readonly rules: readonly RuleReading[]
  readonly notes: readonly string[]
}

/** `rule` is the name by which charges show it. */
export type RuleReading = { readonly rule: string; readonly text: string }

export const readCard = (card: Card): CardReading => {
  const columns = columnsOf(card)
  return {
    columns,
    models: modelsOf(card, columns),
    cases: card.cases.map((each, index) => caseReading(each, card.cases.slice(0, index))),
    ending: endingOf(card, columns),
  }
}

const columnsOf = ({ cases }: Card): readonly PriceColumn[] => {
  const uses = new Map<string, Set<string>>()
  for (const line of cases.flatMap(({ lines }) => lines)) {
    if (line.price === undefined) continue
    const own = uses.get(line.price) ?? new Set()
    uses.set(line.price, own.add(unitOf(line)))
  }
  return [...uses].map(([name, units]) => ({ name, of: [...units].join(', or ') }))
}

/** `per 1,000,000 input tokens`. */
const unitOf = ({ of, per = 1, started, from, to }: Line): string => {
  if (of === undefined) return per === 1 ? 'per message' : `÷ ${count(per)} per message`
  const noun = of === 'words' && from !== undefined ? wordsOf(from, to) : nounOf(of)
  if (started === true) return `per ${count(per)} ${noun} started`
  return per === 1 ? `each of the ${noun}` : `per ${count(per)} ${noun}`
}

const modelsOf = ({ prices = {}, aliases = {} }: Card, columns: readonly PriceColumn[]): readonly ModelPrices[] => {
  const namesOf = new Map<string, string[]>()
  for (const [alias, model] of Object.entries(aliases)) {
    const names = namesOf.get(model)
    if (names === undefined) namesOf.set(model, [alias])
    else names.push(alias)
  }
  return Object.entries(prices).map(([model, rows]) => ({
    model,
    aliases: namesOf.get(model) ?? [],
    rows: rows.map(({ when, ...own }, index) => ({
      when: rowText(when, index),
      prices: columns.map(({ name }) => {
        const price = own[name]
        return typeof price === 'number' ? price : undefined
      }),
    })),
  }))
}

const rowText = (when: Conditions | undefined, index: number): string | undefined => {
  if (when !== undefined) return `if ${conditionsText(when)}`
  return index === 0 ? undefined : 'otherwise'
}

const caseReading = ({ name, when, lines, minimum = 0, multiply = [] }: Case, before: readonly Case[]): CaseReading => {
  const isReached = before.every((each) => each.when !== undefined)
  return {
    name,
    when: caseText(when, before.length === 0),
    rules: [
      ...lines.map((line) => ({ rule: line.rule, text: lineText(line) })),
      ...multiply.map(({ rule, by, when: condition }) => ({
        rule,
        text: sentence(`the total so far × ${quantity(by)}${suffix(condition)}`),
      })),
    ],
    notes: [
      ...(lines.length === 0 ? ['Free.'] : []),
      ...(minimum > 0
        ? [`At least ${creditsName(minimum)}${multiply.length > 0 ? ', before the total is multiplied' : ''}.`]
        : []),
      ...(isReached ? [] : ['Never reached: a case before this one takes every message.']),
    ],
  }
}

const caseText = (when: Conditions | undefined, isFirst: boolean): string => {
  if (when === undefined) return isFirst ? 'Every message' : 'Every other message'
  return isFirst ? `If ${conditionsText(when, 'the message')}` : `Otherwise, if ${conditionsText(when)}`
}

const lineText = (line: Line): string => sentence(`${costText(line)}${suffix(line.when)}`)

const costText = ({ of, rate = 0, price, per = 1, started = false, from, to }: Line): string => {
  const isDiscount = rate < 0
  const amount =
    price === undefined
      ? `${creditsName(Math.abs(rate))}${isDiscount ? ' off' : ''}`
      : `the model’s “${nounOf(price)}” price`
  if (of === undefined) return per === 1 ? amount : `${amount} ÷ ${count(per)}`
  if (of === 'report_credits' && price === undefined && per === 1 && !started && !isDiscount) {
    return rate === 1 ? 'the report’s price' : `the report’s price × ${quantity(rate)}`
  }
  const noun = of === 'words' && from !== undefined ? wordsOf(from, to) : nounOf(of)
  if (started) return `${noun}: ${amount} for ${per === 1 ? 'each one' : `each ${count(per)}`} started`
  return `${noun}: ${amount} ${per === 1 ? 'each' : `per ${count(per)}`}`
}

/** Longer words count as 32. */
const LONGEST_WORD = 32

export const lengthsName = (from: number, to: number | undefined): string => {
  if (to === undefined || to >= LONGEST_WORD) return `${count(from)} or more characters`
  if (from === to) return from === 1 ? '1 character' : `${count(from)} characters`
  return `${count(from)} to ${count(to)} characters`
}

const wordsOf = (from: number, to: number | undefined): string => `words of ${lengthsName(from, to)}`

const OUTCOMES: Readonly<Record<keyof NonNullable<Card['outcomes']>, string>> = {
  succeeded: 'Successful messages',
  failed: 'Failed messages',
  cancelled: 'Cancelled messages',
  retried: 'Messages that were retried',
  utility: 'Utility messages, such as titles,',
}

const endingOf = ({ cases, prices, outcomes = {} }: Card, columns: readonly PriceColumn[]): readonly string[] => [
  ...Object.entries(outcomes).map(([outcome, share]) => {
    const who = OUTCOMES[outcome as keyof typeof OUTCOMES]
    return share === 0 ? `${who} are free.` : `${who} cost ${quantity(share * 100)}% of the total.`
  }),
  ...(cases.every(({ when }) => when !== undefined)
    ? ['A message that fits no case has no price: it is kept, but not charged.']
    : []),
  ...(columns.length > 0 && prices !== undefined
    ? ['A model or price that is not in the table is not free: the message is kept, but has no price.']
    : []),
]

const suffix = (when: Conditions | undefined): string => (when === undefined ? '' : `, if ${conditionsText(when)}`)

/** Of a message that fits: `its text has more than 100 characters and its “tier” is “basic”`. */
export const conditionsText = (when: Conditions, first = 'it'): string =>
  Object.entries(when)
    .map(([fact, condition], index) => clause(fact, condition, index === 0 ? first : 'it'))
    .join(' and ')

/** `its text has more than 100 characters`. */
const clause = (fact: string, condition: Condition, it: string): string => {
  const its = it === 'it' ? 'its' : `${it}’s`
  const flag = FLAGS[fact]
  if (flag !== undefined)
    return flagClause(flag, condition)
      .replace(/^its\b/, its)
      .replace(/^it\b/, it)
  if (fact === 'model' || fact === 'outcome') {
    if (condition === '*') return `${it} has ${fact === 'model' ? 'a model' : 'an outcome'}`
    return `${its} ${fact} is ${valuesText(condition)}`
  }
  if (condition === '*') return presenceClause(fact, it, its)
  const amount = amountText(condition)
  if (amount === undefined) return `${its} “${nounOf(fact)}” is ${valuesText(condition)}`
  if (fact === 'report_credits') return `${its} report costs ${amount} credits`
  if (TEXT_FACTS.has(fact)) return `${its} text has ${amount} ${nounOf(fact)}`
  return `${it} has ${amount} ${nounOf(fact)}`
}

const TEXT_FACTS: ReadonlySet<string> = new Set(['characters', 'words', 'third_vowels'])

type FlagTexts = Readonly<Record<'yes' | 'no' | 'either', string>>

/** `text` and `report` are never absent; the others are absent if there is no text. */
const FLAGS: Readonly<Record<string, FlagTexts>> = {
  text: { yes: 'it has a text', no: 'it has no text', either: 'it has a text or none' },
  report: {
    yes: 'it asks for a report',
    no: 'it asks for no report that has a price',
    either: 'it asks for a report or not',
  },
  any_words: { yes: 'its text has words', no: 'its text has no words', either: 'it has a text, with words or without' },
  words_differ: {
    yes: 'its text uses no word twice',
    no: 'its text uses a word twice',
    either: 'it has a text, whether it uses a word twice or not',
  },
  palindrome: {
    yes: 'its text reads the same in both directions',
    no: 'its text does not read the same in both directions',
    either: 'it has a text, whether it reads the same in both directions or not',
  },
}

const flagClause = (texts: FlagTexts, condition: Condition): string => {
  const values: readonly unknown[] =
    condition === '*' ? [true, false] : Array.isArray(condition) ? condition : [condition]
  if (values.includes(true) && values.includes(false)) return texts.either
  return values.includes(true) ? texts.yes : texts.no
}

const presenceClause = (fact: string, it: string, its: string): string => {
  if (fact === 'report_credits') return `${its} report has a price`
  if (TEXT_FACTS.has(fact)) return `${it} has a text, with any number of ${nounOf(fact)}`
  return `${it} has a value for “${nounOf(fact)}”`
}

/** `more than 3 and at most 5`; undefined of values that are not numbers. */
const amountText = (condition: Condition): string | undefined => {
  if (typeof condition === 'number') return `exactly ${quantity(condition)}`
  if (typeof condition !== 'object') return undefined
  if (Array.isArray(condition)) {
    const numbers = condition.filter((value) => typeof value === 'number')
    return numbers.length === condition.length ? `exactly ${listed(numbers.map(quantity))}` : undefined
  }
  const { above, upto } = condition as { readonly above?: number; readonly upto?: number }
  return [
    ...(above === undefined ? [] : [`more than ${quantity(above)}`]),
    ...(upto === undefined ? [] : [`at most ${quantity(upto)}`]),
  ].join(' and ')
}

const valuesText = (condition: Condition): string => {
  const values: readonly unknown[] = Array.isArray(condition) ? condition : [condition]
  return listed(values.map(valueText))
}

const valueText = (value: unknown): string => {
  if (typeof value === 'boolean') return value ? 'yes' : 'no'
  return typeof value === 'number' ? quantity(value) : `“${value}”`
}

const listed = (texts: readonly string[]): string =>
  texts.length < 2 ? texts.join('') : `${texts.slice(0, -1).join(', ')} or ${texts.at(-1)}`

const NOUNS: Readonly<Record<string, string>> = {
  third_vowels: 'vowels among the 3rd, 6th, 9th, … characters',
  report_credits: 'credits of the report’s price',
  cache_write_1h_tokens: 'cache tokens written for an hour',
} satisfies Partial<Record<FactName, string>>

/** `input_tokens` → `input tokens`. */
export const nounOf = (fact: string): string => NOUNS[fact] ?? fact.replaceAll('_', ' ')

const creditsName = (amount: number): string => `${quantity(amount)} ${amount === 1 ? 'credit' : 'credits'}`

const sentence = (text: string): string => `${text.charAt(0).toUpperCase()}${text.slice(1)}.`
