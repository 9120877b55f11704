import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { BUILT_IN_CARDS } from '../../src/rating/built-in-cards.ts'
import { parseCard } from '../../src/rating/parse-card.ts'
import { type Card, readCard } from './card-sentences.ts'

/** Says everything that a card can say. */
const FULL = {
  version: 'full',
  prices: {
    'gpt-5': [{ when: { prompt_tokens: { above: 1000 } }, input: 500, output: 0 }, { input: 250 }],
    small: [{ input: 1.5, output: 3 }],
  },
  aliases: { 'gpt-5-2026': 'gpt-5' },
  cases: [
    {
      name: 'tokens',
      when: { model: '*' },
      lines: [
        { rule: 'input', of: 'input_tokens', per: 1_000_000, price: 'input', started: false, when: { tier: 'basic' } },
        { rule: 'output', of: 'output_tokens', per: 1000, price: 'output' },
        { rule: 'words', of: 'words', rate: 0.2, from: 4, to: 7 },
        { rule: 'cached', of: 'cache_read_tokens', price: 'input' },
      ],
      minimum: 0.5,
      multiply: [{ rule: 'double', by: 2, when: { palindrome: true } }],
    },
    { name: 'free', when: { licensed: true }, lines: [] },
  ],
  outcomes: { succeeded: 1.5, failed: 0, cancelled: 0.5, retried: 0.25, utility: 0 },
}

const textOf = (card: unknown): string => JSON.stringify(readCard(card as Card))

type Step = string | number
/** A copy with another value at a place; undefined removes what is there. */
const changed = (input: unknown, [step, ...rest]: readonly Step[], value: unknown): unknown => {
  if (step === undefined) return value
  const copy = (Array.isArray(input) ? [...input] : { ...(input as object) }) as Record<Step, unknown>
  copy[step] = changed(copy[step], rest, value)
  if (copy[step] === undefined) delete copy[step]
  return copy
}

const WHEN: Readonly<Record<string, readonly Step[]>> = {
  'prices.*[].when': ['prices', 'gpt-5', 0, 'when'],
  'cases[].when': ['cases', 0, 'when'],
  'cases[].lines[].when': ['cases', 0, 'lines', 0, 'when'],
  'cases[].multiply[].when': ['cases', 0, 'multiply', 0, 'when'],
}

/** Two conditions of each form, which must read differently. */
const CONDITIONS: Readonly<Record<string, readonly [object, object]>> = {
  '.*:string': [{ tier: 'one' }, { tier: 'two' }],
  '.*:number': [{ pages: 1 }, { pages: 2 }],
  '.*:boolean': [{ licensed: true }, { licensed: false }],
  '.*[]:string': [{ tier: ['one', 'two'] }, { tier: ['one', 'three'] }],
  '.*[]:number': [{ pages: [1, 2] }, { pages: [1, 3] }],
  '.*[]:boolean': [{ palindrome: [true] }, { palindrome: [true, false] }],
  '.*.above': [{ pages: { above: 1 } }, { pages: { above: 2 } }],
  '.*.upto': [{ pages: { upto: 1 } }, { pages: { upto: 2 } }],
}

const line = ['cases', 0, 'lines', 0] as const
const words = ['cases', 0, 'lines', 2] as const

/** For each field of a card: where `FULL` has it, and another value. */
const FIELDS: Readonly<Record<string, readonly [readonly Step[], unknown]>> = {
  'prices.*[].*': [['prices', 'gpt-5', 1, 'input'], 251],
  'aliases.*': [['aliases', 'gpt-5-2026'], 'small'],
  'cases[].name': [['cases', 0, 'name'], 'other'],
  'cases[].lines[].rule': [[...line, 'rule'], 'other'],
  'cases[].lines[].of': [[...line, 'of'], 'output_tokens'],
  'cases[].lines[].rate': [[...words, 'rate'], 0.3],
  'cases[].lines[].price': [[...line, 'price'], 'output'],
  'cases[].lines[].per': [[...line, 'per'], 1000],
  'cases[].lines[].started': [[...line, 'started'], true],
  'cases[].lines[].from': [[...words, 'from'], 5],
  'cases[].lines[].to': [[...words, 'to'], undefined],
  'cases[].minimum': [['cases', 0, 'minimum'], 1],
  'cases[].multiply[].rule': [['cases', 0, 'multiply', 0, 'rule'], 'other'],
  'cases[].multiply[].by': [['cases', 0, 'multiply', 0, 'by'], 3],
  ...Object.fromEntries(
    Object.keys(FULL.outcomes).map((outcome) => [`outcomes.${outcome}`, [['outcomes', outcome], 0.75]]),
  ),
}

type Schema = {
  readonly type?: string
  readonly properties?: Readonly<Record<string, Schema>>
  readonly additionalProperties?: Schema | boolean
  readonly items?: Schema
  readonly anyOf?: readonly Schema[]
}

/** Every place of a card that has a value, such as `cases[].lines[].rule`. */
const placesIn = ({ properties = {}, additionalProperties, items, anyOf, type }: Schema, path: string): string[] => {
  const own = Object.entries(properties).flatMap(([name, each]) =>
    placesIn(each, path === '' ? name : `${path}.${name}`),
  )
  if (anyOf !== undefined) return anyOf.flatMap((each) => placesIn(each, path))
  if (items !== undefined) return placesIn(items, `${path}[]`)
  if (additionalProperties === true) return [...own, `${path}.*`]
  if (typeof additionalProperties === 'object') return [...own, ...placesIn(additionalProperties, `${path}.*`)]
  if (own.length > 0) return own
  return [/when\.\*(\[\])?$/.test(path) ? `${path}:${type}` : path]
}

const document = JSON.parse(readFileSync(new URL('../../openapi.json', import.meta.url), 'utf8'))
const schema: Schema = document.components.schemas.RateCard

test('whatever a card says is said: no field of the schema, and no form of a condition, is left out', () => {
  const conditions = Object.entries(WHEN).flatMap(([path, place]) =>
    Object.entries(CONDITIONS).map(([form, values]) => ({ path: `${path}${form}`, place, values })),
  )
  const known = [...Object.keys(FIELDS), ...conditions.map(({ path }) => path)]
  // The version is the title of what is read.
  assert.deepEqual(
    placesIn(schema, '')
      .filter((path) => path !== 'version')
      .sort(),
    known.sort(),
  )
  for (const [path, [place, value]] of Object.entries(FIELDS)) {
    const other = changed(FULL, place, value)
    assert.notEqual(textOf(parseCard(other)), textOf(parseCard(FULL)), path)
  }
  for (const { path, place, values } of conditions) {
    const [one, other] = values.map((value) => textOf(parseCard(changed(FULL, place, value))))
    assert.notEqual(one, other, path)
    assert.notEqual(one, textOf(parseCard(changed(FULL, place, undefined))), `${path} or nothing`)
  }
})

test('every fact, quantity and attribute reads differently in every form of a condition', () => {
  const flag = [true, false, '*']
  const number = ['*', 3, [3, 4], { above: 3 }, { upto: 3 }, { above: 3, upto: 4 }]
  const conditions: Readonly<Record<string, readonly unknown[]>> = {
    ...Object.fromEntries(['text', 'report', 'any_words', 'words_differ', 'palindrome'].map((fact) => [fact, flag])),
    ...Object.fromEntries(
      ['characters', 'words', 'third_vowels', 'report_credits', 'prompt_tokens', 'cache_write_1h_tokens', 'pages'].map(
        (fact) => [fact, number],
      ),
    ),
    model: ['*', 'one', ['one', 'two']],
    outcome: ['*', 'failed', ['failed', 'cancelled']],
    plan: ['*', 'free', ['free', 'paid', true, 3], true, false],
  }
  const texts = Object.entries(conditions).flatMap(([fact, forms]) =>
    forms.map((condition) => {
      const card = parseCard({ version: 'v', cases: [{ name: 'c', when: { [fact]: condition }, lines: [] }] })
      const { when = '' } = readCard(card).cases[0] ?? {}
      assert.match(when, /^If .*the message/, `${fact} ${JSON.stringify(condition)}`)
      assert.doesNotMatch(when, /undefined|NaN|\[object|_/, when)
      return when
    }),
  )
  assert.equal(new Set(texts).size, texts.length)
})

test('a card reads as its author means it', () => {
  const { columns, models, cases, ending } = readCard(parseCard(FULL))
  assert.deepEqual(columns, [
    { name: 'input', of: 'per 1,000,000 input tokens, or each of the cache read tokens' },
    { name: 'output', of: 'per 1,000 output tokens' },
  ])
  assert.deepEqual(models, [
    {
      model: 'gpt-5',
      aliases: ['gpt-5-2026'],
      rows: [
        { when: 'if it has more than 1,000 prompt tokens', prices: [500, 0] },
        { when: 'otherwise', prices: [250, undefined] },
      ],
    },
    { model: 'small', aliases: [], rows: [{ when: undefined, prices: [1.5, 3] }] },
  ])
  assert.deepEqual(cases, [
    {
      name: 'tokens',
      when: 'If the message has a model',
      rules: [
        { rule: 'input', text: 'Input tokens: the model’s “input” price per 1,000,000, if its “tier” is “basic”.' },
        { rule: 'output', text: 'Output tokens: the model’s “output” price per 1,000.' },
        { rule: 'words', text: 'Words of 4 to 7 characters: 0.2 credits each.' },
        { rule: 'cached', text: 'Cache read tokens: the model’s “input” price each.' },
        { rule: 'double', text: 'The total so far × 2, if its text reads the same in both directions.' },
      ],
      notes: ['At least 0.5 credits, before the total is multiplied.'],
    },
    { name: 'free', when: 'Otherwise, if its “licensed” is yes', rules: [], notes: ['Free.'] },
  ])
  assert.deepEqual(ending, [
    'Successful messages cost 150% of the total.',
    'Failed messages are free.',
    'Cancelled messages cost 50% of the total.',
    'Messages that were retried cost 25% of the total.',
    'Utility messages, such as titles, are free.',
    'A message that fits no case has no price: it is kept, but not charged.',
    'A model or price that is not in the table is not free: the message is kept, but has no price.',
  ])
})

test('every kind of line has a sentence of its own', () => {
  const lines = [
    [{ rate: 1 }, '1 credit.'],
    [{ rate: 2, per: 1000 }, '2 credits ÷ 1,000.'],
    [
      { rate: -2, when: { any_words: true, words_differ: true } },
      '2 credits off, if its text has words and its text uses no word twice.',
    ],
    [{ of: 'characters', rate: 0.05 }, 'Characters: 0.05 credits each.'],
    [{ of: 'words', from: 1, to: 1, rate: 1 }, 'Words of 1 character: 1 credit each.'],
    [{ of: 'words', from: 3, to: 3, rate: 1 }, 'Words of 3 characters: 1 credit each.'],
    [{ of: 'words', from: 8, rate: 0.3 }, 'Words of 8 or more characters: 0.3 credits each.'],
    [{ of: 'words', from: 8, to: 32, rate: 0.3 }, 'Words of 8 or more characters: 0.3 credits each.'],
    [{ of: 'report_credits', rate: 1 }, 'The report’s price.'],
    [{ of: 'report_credits', rate: 0.5 }, 'The report’s price × 0.5.'],
    [{ of: 'pages', rate: 8, started: true }, 'Pages: 8 credits for each one started.'],
    [
      { of: 'total_tokens', rate: 0.1, per: 1000, started: true, when: { tier: 'basic' } },
      'Total tokens: 0.1 credits for each 1,000 started, if its “tier” is “basic”.',
    ],
    [{ of: 'flow_actions', rate: 13, per: 100 }, 'Flow actions: 13 credits per 100.'],
  ] as const
  for (const [line, text] of lines) {
    const card = parseCard({ version: 'v', cases: [{ name: 'c', lines: [{ rule: 'r', ...line }] }] })
    assert.deepEqual(readCard(card).cases[0]?.rules, [{ rule: 'r', text }])
  }
})

for (const { card } of BUILT_IN_CARDS) {
  test(`${card.version}: every model, price, case and rule is read`, () => {
    const { columns, models, cases } = readCard(card)
    assert.deepEqual(
      models.map(({ model, rows }) => [model, rows.length]),
      Object.entries(card.prices ?? {}).map(([model, rows]) => [model, rows.length]),
    )
    for (const { model, rows } of models) {
      for (const [index, { prices }] of rows.entries()) {
        const { when: _, ...own } = card.prices?.[model]?.[index] ?? {}
        const read = columns.flatMap(({ name }, at) => (prices[at] === undefined ? [] : [[name, prices[at]]]))
        assert.deepEqual(Object.fromEntries(read), own, model)
      }
    }
    assert.deepEqual(
      models.flatMap(({ model, aliases }) => aliases.map((alias) => [alias, model])).sort(),
      Object.entries(card.aliases ?? {}).sort(),
    )
    for (const [index, { lines, multiply = [] }] of card.cases.entries()) {
      const { when, rules = [] } = cases[index] ?? {}
      assert.deepEqual(
        rules.map(({ rule }) => rule),
        [...lines, ...multiply].map(({ rule }) => rule),
      )
      assert.doesNotMatch([when, ...rules.map(({ text }) => text)].join(), /undefined|NaN|\[object/)
    }
  })
}

test('standard-2024 reads like its description', () => {
  const card = BUILT_IN_CARDS.find(({ card: { version } }) => version === 'standard-2024')?.card
  assert.ok(card)
  const { cases } = readCard(card)
  assert.deepEqual(
    cases.map(({ when, rules, notes }) => [when, ...rules.map(({ text }) => text), ...notes]),
    [
      ['If the message asks for a report', 'The report’s price.'],
      [
        'Otherwise, if it has a text',
        '1 credit.',
        'Characters: 0.05 credits each.',
        'Words of 1 to 3 characters: 0.1 credits each.',
        'Words of 4 to 7 characters: 0.2 credits each.',
        'Words of 8 or more characters: 0.3 credits each.',
        'Vowels among the 3rd, 6th, 9th, … characters: 0.3 credits each.',
        '5 credits, if its text has more than 100 characters.',
        '2 credits off, if its text has words and its text uses no word twice.',
        'The total so far × 2, if its text reads the same in both directions.',
        'At least 1 credit, before the total is multiplied.',
      ],
    ],
  )
})
