/** What senders must bring so that a card can price their messages. */
import type { Card, Condition, Conditions } from '#model/card.ts'
import { FACTS, type FactName, isFactName, kindsReached } from './fact-names.ts'

/** By the fields of a message. What the card does not read is absent. */
export type ExpectedFacts = {
  readonly text?: true
  readonly report_id?: true
  readonly model?: true
  /** Kinds of tokens and parts of them. */
  readonly usage?: readonly string[]
  readonly quantities?: readonly string[]
  readonly attributes?: readonly string[]
}

export const expectedFacts = (card: Card): ExpectedFacts => {
  const lines = card.cases.flatMap((each) => each.lines)
  const conditions = [
    ...card.cases.flatMap(({ when, multiply = [] }) => [when, ...multiply.map((factor) => factor.when)]),
    ...lines.map(({ when }) => when),
    ...Object.values(card.prices ?? {}).flatMap((rows) => rows.map(({ when }) => when)),
  ].flatMap((when: Conditions = {}) => Object.entries(when))
  const counted = lines.flatMap(({ of }) => of ?? [])
  const compared = conditions.map(([name]) => name)
  const fields = new Set([...counted, ...compared].flatMap((name) => (isFactName(name) ? (FIELD_OF[name] ?? []) : [])))
  const isPricedByModel = lines.some(({ price }) => price !== undefined)
  const isChosen = (name: string): boolean => !isFactName(name)
  const quantities = sorted([
    ...counted.filter(isChosen),
    ...conditions.filter(([name, condition]) => isChosen(name) && isOfNumber(condition)).map(([name]) => name),
  ])
  const usage = [...counted, ...compared].flatMap((name): readonly string[] =>
    PARTS.includes(name) ? [name] : kindsReached(name),
  )
  return {
    ...(fields.has('text') && { text: true }),
    ...(fields.has('report_id') && { report_id: true }),
    ...((fields.has('model') || isPricedByModel) && { model: true }),
    ...given(
      'usage',
      Object.keys(FACTS).filter((name) => usage.includes(name)),
    ),
    ...given('quantities', quantities),
    ...given('attributes', sorted(compared.filter((name) => isChosen(name) && !quantities.includes(name)))),
  }
}

const PARTS: readonly string[] = ['reasoning_tokens', 'cache_write_1h_tokens'] satisfies readonly FactName[]

/** The field of a message that brings a fact, unless it is `usage`; an outcome need not be brought. */
const FIELD_OF: Readonly<Partial<Record<FactName, 'text' | 'report_id' | 'model'>>> = {
  text: 'text',
  characters: 'text',
  words: 'text',
  third_vowels: 'text',
  any_words: 'text',
  words_differ: 'text',
  palindrome: 'text',
  report: 'report_id',
  report_credits: 'report_id',
  model: 'model',
}

const isOfNumber = (condition: Condition): boolean => {
  if (Array.isArray(condition)) return condition.some((value) => typeof value === 'number')
  return typeof condition === 'number' || typeof condition === 'object'
}

const sorted = (names: readonly string[]): readonly string[] => [...new Set(names)].sort()

const given = <Name extends string>(name: Name, names: readonly string[]) =>
  names.length === 0 ? {} : ({ [name]: names } as { readonly [N in Name]: readonly string[] })
