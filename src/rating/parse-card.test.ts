import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { CARD_BYTES_MAX, CARD_MODELS_MAX, InvalidRateCard, parseCard } from './parse-card.ts'

type Fields = Readonly<Record<string, unknown>>

const LINE = { rule: 'base', rate: 1 }
const cardWith = (fields: Fields): unknown => ({ version: 'v', cases: [{ name: 'any', lines: [LINE] }], ...fields })
const withCase = (fields: Fields): unknown => cardWith({ cases: [{ name: 'any', lines: [LINE], ...fields }] })
const withLine = (fields: Fields): unknown => withCase({ lines: [{ ...LINE, ...fields }] })
const withWhen = (when: unknown): unknown => withCase({ when })
const withFactor = (fields: Fields): unknown => withCase({ multiply: [{ rule: 'twice', by: 2, ...fields }] })
const PRICED = { name: 'any', lines: [{ rule: 'input', of: 'input_tokens', price: 'input' }] }
const withPrices = (prices: unknown, more: Fields = {}): unknown => cardWith({ cases: [PRICED], prices, ...more })
const withRow = (row: unknown): unknown => withPrices({ m: [row] })

const pathsOf = (card: unknown): readonly string[] => {
  try {
    parseCard(card)
    return []
  } catch (error) {
    if (!(error instanceof InvalidRateCard)) throw error
    return error.faults.map(({ path }) => path)
  }
}

describe('the limits of a rate card', () => {
  const limits: readonly (readonly [what: string, card: unknown, ...paths: readonly string[]])[] = [
    ['no object', [], 'the card'],
    ['null', null, 'the card'],
    ['the least', cardWith({})],
    ['an unknown field', cardWith({ discount: 1 }), 'discount'],
    ['an unknown field that is no word', cardWith({ 'a b': 1 }), '["a b"]'],
    ['no version', cardWith({ version: undefined }), 'version'],
    ['a version of 64 characters', cardWith({ version: 'v'.repeat(64) })],
    ['a version of 65 characters', cardWith({ version: 'v'.repeat(65) }), 'version'],
    ['a version in capitals', cardWith({ version: 'V1' }), 'version'],
    ['a version that starts with a dot', cardWith({ version: '.1' }), 'version'],
    ['U+0000 in a name', withCase({ name: 'a\u0000' }), 'cases[0].name'],
    ['a lone surrogate in a model', withPrices({ '\ud800': [{ input: 1 }] }), 'prices["\\ud800"]'],
    ['a backslash before u0000, and a pair of surrogates', withCase({ name: '\\u0000 \u{1f600}' })],
    ['no cases', cardWith({ cases: undefined }), 'cases'],
    ['an empty list of cases', cardWith({ cases: [] }), 'cases'],
    ['a case that is no object', cardWith({ cases: [1] }), 'cases[0]'],
    ['two cases of one name', cardWith({ cases: [PRICED, PRICED] }), 'cases[1].name'],
    ['a case without a name', withCase({ name: undefined }), 'cases[0].name'],
    ['an empty name', withCase({ name: '' }), 'cases[0].name'],
    ['a name of 64 characters', withCase({ name: 'n'.repeat(64) })],
    ['a name of 65 characters', withCase({ name: 'n'.repeat(65) }), 'cases[0].name'],
    ['an unknown field of a case', withCase({ maximum: 1 }), 'cases[0].maximum'],
    ['a case without lines', withCase({ lines: undefined }), 'cases[0].lines'],
    ['a case that is free', withCase({ lines: [] })],
    ['a minimum below 0', withCase({ minimum: -1 }), 'cases[0].minimum'],
    ['a minimum of seven decimals', withCase({ minimum: 0.0000001 }), 'cases[0].minimum'],
    ['a minimum of 2^33', withCase({ minimum: 2 ** 33 }), 'cases[0].minimum'],
    ['a line that is no object', withCase({ lines: ['base'] }), 'cases[0].lines[0]'],
    ['an unknown field of a line', withLine({ cost: 1 }), 'cases[0].lines[0].cost'],
    ['a line without a rule', withLine({ rule: undefined }), 'cases[0].lines[0].rule'],
    ['a quantity that is a flag', withLine({ of: 'palindrome' }), 'cases[0].lines[0].of'],
    ['a quantity that is a name', withLine({ of: 'model' }), 'cases[0].lines[0].of'],
    ['a quantity in capitals', withLine({ of: 'Pages' }), 'cases[0].lines[0].of'],
    ['a quantity of 63 characters', withLine({ of: 'p'.repeat(63) })],
    ['a quantity of 64 characters', withLine({ of: 'p'.repeat(64) }), 'cases[0].lines[0].of'],
    ['neither rate nor price', withLine({ rate: undefined }), 'cases[0].lines[0].rate'],
    ['both rate and price', withLine({ price: 'input' }), 'cases[0].lines[0].rate'],
    ['a column that is "when"', withLine({ rate: undefined, price: 'when' }), 'cases[0].lines[0].price'],
    ['a column in capitals', withLine({ rate: undefined, price: 'Input' }), 'cases[0].lines[0].price'],
    ['the largest rate', withLine({ rate: 2 ** 33 - 1 })],
    ['a rate of 2^33', withLine({ rate: 2 ** 33 }), 'cases[0].lines[0].rate'],
    ['a rate that is a string', withLine({ rate: '1' }), 'cases[0].lines[0].rate'],
    ['a rate of six decimals', withLine({ rate: 0.000001 })],
    ['a rate of seven decimals', withLine({ rate: 0.0000015 }), 'cases[0].lines[0].rate'],
    ['a negative rate', withLine({ rate: -1 }), 'cases[0].lines[0].rate'],
    ['a negative rate with a condition', withLine({ rate: 1 - 2 ** 33, when: { text: true } })],
    ['a rate of -2^33', withLine({ rate: -(2 ** 33), when: { text: true } }), 'cases[0].lines[0].rate'],
    ['per 0', withLine({ per: 0 }), 'cases[0].lines[0].per'],
    ['per 1.5', withLine({ per: 1.5 }), 'cases[0].lines[0].per'],
    ['per 10^12', withLine({ per: 10 ** 12 })],
    ['per more than 10^12', withLine({ per: 10 ** 12 + 1 }), 'cases[0].lines[0].per'],
    ['started 1', withLine({ started: 1 }), 'cases[0].lines[0].started'],
    ['a band of characters', withLine({ of: 'characters', from: 1 }), 'cases[0].lines[0].from'],
    ['a band from 0', withLine({ of: 'words', from: 0 }), 'cases[0].lines[0].from'],
    ['a band from 1 to 32', withLine({ of: 'words', from: 1, to: 32 })],
    ['a band from 33', withLine({ of: 'words', from: 33 }), 'cases[0].lines[0].from'],
    ['a band to 33', withLine({ of: 'words', from: 1, to: 33 }), 'cases[0].lines[0].to'],
    ['a band that ends before it begins', withLine({ of: 'words', from: 4, to: 3 }), 'cases[0].lines[0].to'],
    ['a band of one length', withLine({ of: 'words', from: 4, to: 4 })],
    ['a band without from', withLine({ of: 'words', to: 3 }), 'cases[0].lines[0].from'],
    ['a condition that is no object', withWhen(true), 'cases[0].when'],
    ['no conditions', withWhen({}), 'cases[0].when'],
    ['a fact in capitals', withWhen({ Plan: 'pro' }), 'cases[0].when.Plan'],
    ['a flag that is a string', withWhen({ text: 'true' }), 'cases[0].when.text'],
    ['a flag that is present', withWhen({ text: '*' })],
    ['a flag within a range', withWhen({ text: { above: 0 } }), 'cases[0].when.text'],
    ['a count that is a string', withWhen({ words: '1' }), 'cases[0].when.words'],
    ['a count below 0', withWhen({ words: -1 }), 'cases[0].when.words'],
    ['an empty list', withWhen({ plan: [] }), 'cases[0].when.plan'],
    ['"*" in a list', withWhen({ plan: ['*'] }), 'cases[0].when.plan'],
    ['a list of all kinds of values', withWhen({ plan: ['pro', 1, true] })],
    ['null', withWhen({ plan: null }), 'cases[0].when.plan'],
    ['a model that is a number', withWhen({ model: 1 }), 'cases[0].when.model'],
    ['an outcome', withWhen({ outcome: ['failed', 'succeeded'] })],
    ['an unknown outcome', withWhen({ outcome: 'lost' }), 'cases[0].when.outcome'],
    ['an empty range', withWhen({ pages: {} }), 'cases[0].when.pages'],
    ['an unknown limit', withWhen({ pages: { above: 1, below: 3 } }), 'cases[0].when.pages.below'],
    ['a limit below 0', withWhen({ pages: { above: -1 } }), 'cases[0].when.pages.above'],
    ['a limit of 2^53', withWhen({ pages: { upto: 2 ** 53 } }), 'cases[0].when.pages.upto'],
    ['a factor that is no object', withCase({ multiply: [2] }), 'cases[0].multiply[0]'],
    ['factors that are no list', withCase({ multiply: 2 }), 'cases[0].multiply'],
    ['a factor below 0', withFactor({ by: -1 }), 'cases[0].multiply[0].by'],
    ['a factor of 0', withFactor({ by: 0 })],
    ['a factor without a rule', withFactor({ rule: undefined }), 'cases[0].multiply[0].rule'],
    ['an unknown field of a factor', withFactor({ of: 'words' }), 'cases[0].multiply[0].of'],
    ['a factor with an empty condition', withFactor({ when: {} }), 'cases[0].multiply[0].when'],
    ['an unknown outcome with a share', cardWith({ outcomes: { lost: 0 } }), 'outcomes.lost'],
    ['a share below 0', cardWith({ outcomes: { failed: -0.5 } }), 'outcomes.failed'],
    ['a share of seven decimals', cardWith({ outcomes: { utility: 0.0000001 } }), 'outcomes.utility'],
    ['outcomes that are a list', cardWith({ outcomes: [] }), 'outcomes'],
    ['prices that are a list', withPrices([]), 'prices'],
    ['no prices', withPrices({})],
    ['a model without rows', withPrices({ m: [] }), 'prices["m"]'],
    ['a model whose rows are no list', withPrices({ 'a.b': { input: 1 } }), 'prices["a.b"]'],
    ['a row that is no object', withRow(1), 'prices["m"][0]'],
    ['a price', withRow({ input: 1 })],
    ['a price below 0', withRow({ input: -1 }), 'prices["m"][0].input'],
    ['a price that is a string', withRow({ input: '1' }), 'prices["m"][0].input'],
    ['a price that no line uses', withRow({ output: 1 }), 'prices["m"][0].output'],
    ['a row with an empty condition', withRow({ when: {}, input: 1 }), 'prices["m"][0].when'],
    ['an alias', withPrices({ m: [{ input: 1 }] }, { aliases: { n: 'm' } })],
    ['an alias of a model without prices', withPrices({}, { aliases: { n: 'm' } }), 'aliases["n"]'],
    ['an alias of an alias', withPrices({ m: [{}] }, { aliases: { n: 'm', o: 'n' } }), 'aliases["o"]'],
    ['an alias of what objects inherit', withPrices({}, { aliases: { n: 'toString' } }), 'aliases["n"]'],
    ['aliases that are a list', withPrices({}, { aliases: ['m'] }), 'aliases'],
  ]
  for (const [what, card, ...paths] of limits) {
    test(`${what}: ${paths.length === 0 ? 'allowed' : `refused at ${paths}`}`, () =>
      assert.deepEqual(pathsOf(card), paths))
  }

  test('every fault is listed with what is expected, and the message names the first', () => {
    assert.throws(
      () => parseCard({ version: 'V', cases: [{ name: 'a', lines: [{ rule: 'r', rate: -1 }] }] }),
      (error) => {
        assert.ok(error instanceof InvalidRateCard)
        assert.deepEqual(error.faults.slice(1), [
          { path: 'cases[0].lines[0].rate', expected: '0 or more, because the line has no when' },
        ])
        assert.match(error.message, /^rate card: version must be a string of 1 to 64 characters .*, and 1 more$/)
        return true
      },
    )
  })

  test(`${CARD_MODELS_MAX} models are allowed, and not one more`, () => {
    const prices = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, at) => [`m${at}`, [{}]]))
    assert.deepEqual(pathsOf(withPrices(prices(CARD_MODELS_MAX))), [])
    assert.deepEqual(pathsOf(withPrices(prices(CARD_MODELS_MAX + 1))), ['prices'])
  })

  test('4 MiB of JSON are allowed, counted in bytes and without white space, and not one more', () => {
    const withModel = (name: string) => withPrices({ [name]: [{}] })
    const bytes = JSON.stringify(withModel('')).length
    const name = 'é'.repeat((CARD_BYTES_MAX - bytes) / 2)
    const filled = (CARD_BYTES_MAX - bytes) % 2 === 0 ? name : `${name}n`
    assert.deepEqual(pathsOf(withModel(filled)), [])
    assert.deepEqual(pathsOf(withModel(`${filled}n`)), ['the card'])
  })
})
