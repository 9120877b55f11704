import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { FACT_NAMES } from '#model/fact-names.ts'
import { packFacts, unpackFacts } from '#rating/packed-facts.ts'
import { canonicalContent } from './content-digest.ts'
import { type IncomingMessage, isRejection, parseIncoming, type Rejection } from './incoming-message.ts'
import { MESSAGE_FIELDS } from './message-fields.ts'

const at = Date.parse('2024-05-01T00:00:00Z')
const head = { id: 1, timestamp: '2024-05-01T00:00:00Z' }
const limits = { textBytesMax: 1000, aheadMaxMs: 0 }
const parse = (fields: object): IncomingMessage | Rejection => parseIncoming({ ...head, ...fields }, limits, at)

const accepted = (fields: object): IncomingMessage => {
  const parsed = parse(fields)
  assert.ok(!isRejection(parsed), JSON.stringify(parsed))
  return parsed
}

const refused = (fields: object): readonly [field: string, reason: string] => {
  const parsed = parse(fields)
  assert.ok(isRejection(parsed), JSON.stringify(parsed))
  return [parsed.field, parsed.reason]
}

test('a message brings what its fields say, and null says nothing', () => {
  assert.deepEqual(accepted({ text: 'a', model: null, usage: null, team_id: null, outcome: null }), {
    ...head,
    at,
    text: 'a',
  })
  assert.deepEqual(
    accepted({
      text: null,
      user_id: 'ada',
      team_id: 'research',
      model: 'gpt-5.4',
      usage: { prompt_tokens: 10, completion_tokens: 2, prompt_tokens_details: { cached_tokens: 4 }, cost: 0.25 },
      usage_format: 'openrouter',
      quantities: { pages: 3, voice_minutes: 1.5, nothing: null, zero: -0 },
      attributes: { feature: 'chat', licensed: true, plan: null },
      outcome: 'failed',
    }),
    {
      ...head,
      at,
      member: 'ada',
      team: 'research',
      brought: {
        model: 'gpt-5.4',
        tokens: { input: 6, cacheRead: 4, cacheWrite: 0, output: 2, reasoning: 0, cacheWrite1h: 0 },
        quantities: { pages: 3, voice_minutes: 1.5, zero: 0, provider_cost_nano_usd: 250_000_000 },
        attributes: { feature: 'chat', licensed: true },
        outcome: 'failed',
      },
    },
  )
})

test('the empty text is a text, and a message may have a report, a model or quantities and no text', () => {
  assert.deepEqual(accepted({ text: '' }), { ...head, at, text: '' })
  assert.deepEqual(accepted({ report_id: 5 }), { ...head, at, reportId: 5 })
  assert.deepEqual(accepted({ model: 'm' }), { ...head, at, brought: { model: 'm' } })
  assert.deepEqual(accepted({ quantities: { a: 0 } }), { ...head, at, brought: { quantities: { a: 0 } } })
})

test('what says nothing beyond a text is a message with a text', () => {
  for (const nothing of [
    { outcome: 'succeeded' },
    { quantities: {} },
    { attributes: { a: null } },
    { usage_format: 'openai' },
  ]) {
    assert.deepEqual(accepted({ text: 'a', ...nothing }), { ...head, at, text: 'a' })
  }
})

test('the fields that every message may have are checked too', () => {
  const { at: _, ...usual } = accepted({ text: 'a', report_id: 5, user_id: 'ada' })
  assert.deepEqual(usual, { ...head, text: 'a', reportId: 5, member: 'ada' })
  assert.deepEqual(accepted({ text: 'a', report_id: 5, user_id: null }), { ...head, at, text: 'a', reportId: 5 })
  assert.deepEqual(accepted({ text: 'a', report_id: null, user_id: 'b' }), { ...head, at, text: 'a', member: 'b' })
  for (const text of ['x'.repeat(1000), 'é'.repeat(500), '日'.repeat(333)]) accepted({ text })
  for (const [fields, field, reason] of [
    [{ text: 'x'.repeat(1001) }, 'text', /at most 1000 bytes of UTF-8/],
    [{ text: 'é'.repeat(501) }, 'text', /at most 1000 bytes of UTF-8/],
    [{ text: '日'.repeat(334) }, 'text', /at most 1000 bytes of UTF-8/],
    [{ text: '日'.repeat(334), model: 'm' }, 'text', /at most 1000 bytes of UTF-8/],
    [{ timestamp: `2024-05-01T00:00:00.${'0'.repeat(44)}Z` }, 'timestamp', /RFC 3339/],
    [{ timestamp: '2024-05-01T00:00:00.001Z' }, 'timestamp', /at most 0 seconds ahead/],
    [{ report_id: '.' }, 'report_id', /other than "\." and "\.\."/],
    [{ report_id: '..', model: 'm' }, 'report_id', /other than "\." and "\.\."/],
    [{ user_id: 7 }, 'user_id', /a string of 1 to 200 characters/],
    [{ user_id: 'x'.repeat(201) }, 'user_id', /a string of 1 to 200 characters/],
    [{ ['y'.repeat(51)]: 1 }, `${'y'.repeat(50)}…`, /no such field/],
  ] as const) {
    const [own, why] = refused({ text: 'a', ...fields })
    assert.equal(own, field)
    assert.match(why, reason)
  }
})

test('a name may be one that every JavaScript object has', () => {
  const { brought } = accepted({ quantities: { pages: 1 }, attributes: { constructor: true, tier: '' } })
  assert.deepEqual(brought, { quantities: { pages: 1 }, attributes: { constructor: true, tier: '' } })
})

test('a message that has nothing with a price is rejected', () => {
  for (const fields of [
    {},
    { text: null },
    { user_id: 'a', team_id: 'b' },
    { attributes: { a: 'b' } },
    { quantities: {} },
  ]) {
    const [field, reason] = refused({ outcome: 'failed', ...fields })
    assert.equal(field, 'text')
    assert.match(
      reason,
      /^is missing; a message must have at least one of text, report_id, model, usage and quantities$/,
    )
  }
})

test('a rejection names the field by its path, and what it must be', () => {
  const many = (count: number, value: unknown) =>
    Object.fromEntries(Array.from({ length: count }, (_, index) => [`n${index}`, value]))
  const bad: readonly (readonly [fields: object, field: string, reason: RegExp])[] = [
    [{ text: 5 }, 'text', /a string, or absent/],
    [{ team_id: '' }, 'team_id', /1 to 200 characters/],
    [{ team_id: 7 }, 'team_id', /1 to 200 characters/],
    [{ model: 'x'.repeat(201) }, 'model', /1 to 200 characters/],
    [{ model: 'a\u0000' }, 'model', /free of U\+0000/],
    [{ usage: {} }, 'usage', /at least one of input_tokens/],
    [{ usage: 'x' }, 'usage', /an object/],
    [
      { usage: { input_tokens: 1 }, usage_format: 'OpenAI' },
      'usage_format',
      /one of openai, anthropic, gemini, ai-sdk, openrouter/,
    ],
    [
      { usage: { prompt_tokens: 1, prompt_tokens_details: { cached_tokens: 0.5 } }, usage_format: 'openai' },
      'usage.prompt_tokens_details.cached_tokens',
      /a whole number/,
    ],
    [{ quantities: [1] }, 'quantities', /an object/],
    [{ quantities: { pages: '3' } }, 'quantities.pages', /a number of at least 0/],
    [{ quantities: { pages: -1 } }, 'quantities.pages', /a number of at least 0/],
    [{ quantities: { pages: 0.1234567 } }, 'quantities.pages', /six decimals/],
    [{ quantities: { pages: 2 ** 33 + 0.5 } }, 'quantities.pages', /below 8589934592/],
    [{ quantities: { pages: 2 ** 53 } }, 'quantities.pages', /up to 9007199254740991/],
    [{ quantities: { pages: Number.NaN } }, 'quantities.pages', /a number/],
    [{ quantities: { Pages: 1 } }, 'quantities.Pages', /lowercase letters, digits and underscores/],
    [{ quantities: { ['a'.repeat(64)]: 1 } }, `quantities.${'a'.repeat(63)}…`, /1 to 63/],
    [{ quantities: { words: 1 } }, 'quantities.words', /another name/],
    [{ quantities: many(33, 1) }, 'quantities', /at most 32/],
    [
      { quantities: many(32, 1), usage: { prompt_tokens: 1, cost: 1 }, usage_format: 'openrouter' },
      'quantities',
      /at most 32/,
    ],
    [
      { quantities: { provider_cost_nano_usd: 1 }, usage: { prompt_tokens: 1, cost: 1 }, usage_format: 'openrouter' },
      'quantities.provider_cost_nano_usd',
      /absent if usage states the cost/,
    ],
    [{ attributes: 'x' }, 'attributes', /an object/],
    [{ attributes: { tier: 5 } }, 'attributes.tier', /up to 200 characters/],
    [{ attributes: { tier: '🙂'.repeat(201) } }, 'attributes.tier', /up to 200 characters/],
    [{ attributes: { tier: '\ud800' } }, 'attributes.tier', /lone surrogates/],
    [{ attributes: { model: 'x' } }, 'attributes.model', /another name/],
    [{ attributes: { pages: true }, quantities: { pages: 1 } }, 'attributes.pages', /a quantity has this one/],
    [{ attributes: many(17, true) }, 'attributes', /at most 16/],
    [{ outcome: 'done' }, 'outcome', /one of succeeded, failed, cancelled, retried, utility/],
    [{ outcome: true }, 'outcome', /one of succeeded/],
    [{ tokens: 1 }, 'tokens', /absent: a message has no such field/],
  ]
  for (const [fields, field, reason] of bad) {
    const [own, why] = refused({ text: 'a secret', ...fields })
    assert.equal(own, field)
    assert.match(why, reason)
    assert.doesNotMatch(why, /secret/)
  }
})

test('every fact that the service finds itself is refused as a name', () => {
  for (const name of FACT_NAMES) {
    assert.equal(refused({ quantities: { [name]: 1 } })[0], `quantities.${name}`)
    assert.equal(refused({ text: '', attributes: { [name]: 'x' } })[0], `attributes.${name}`)
  }
})

test('limits include the last that is allowed', () => {
  accepted({ model: '🙂'.repeat(200) })
  accepted({ quantities: { ['a'.repeat(63)]: 2 ** 53 - 1, b: 8589934591.999999, c: 0.000001 } })
  const quantities = Object.fromEntries(Array.from({ length: 32 }, (_, index) => [`q${index}`, 1]))
  const attributes = Object.fromEntries(Array.from({ length: 16 }, (_, index) => [`a${index}`, true]))
  accepted({ quantities, attributes })
})

test('whatever a message holds, it is rejected by name or accepted with facts that can be kept', () => {
  const name = fc.oneof(fc.constantFrom('pages', 'feature', 'constructor', '__proto__', 'words'), fc.string())
  const value = fc.oneof(
    { withCrossShrink: true },
    fc.jsonValue(),
    fc.anything({ withBigInt: true, withMap: true, withDate: true, withNullPrototype: true, withSparseArray: true }),
    fc.dictionary(
      name,
      fc.oneof(fc.nat(), fc.double(), fc.boolean(), fc.string({ unit: 'binary' }), fc.constant(null)),
    ),
    fc.constantFrom(
      'gpt-5.4',
      'openai',
      'ai-sdk',
      'failed',
      { input_tokens: 5, output_tokens: 2 },
      { prompt_tokens: 9 },
    ),
  )
  const usual: Readonly<Record<string, unknown>> = {
    text: 'a',
    report_id: 5,
    user_id: 'ada',
    team_id: 'research',
    model: 'gpt-5.4',
    usage: { input_tokens: 5, output_tokens: 2 },
    usage_format: null,
    quantities: { pages: 1.5, constructor: 2 },
    attributes: { feature: 'chat', licensed: true },
    outcome: 'failed',
  }
  assert.deepEqual(Object.keys(usual).slice(3).sort(), MESSAGE_FIELDS.map((field) => field.name).sort())
  const fields = Object.entries(usual).map(([each, good]) => {
    return [each, fc.oneof({ weight: 9, arbitrary: fc.constant(good) }, { weight: 1, arbitrary: value })] as const
  })
  const message = fc.record(Object.fromEntries(fields), { requiredKeys: [] })
  let kept = 0
  fc.assert(
    fc.property(message, (each) => {
      const parsed = parse(each)
      if (isRejection(parsed)) return assert.equal(typeof parsed.reason, 'string')
      kept++
      canonicalContent(parsed)
      const { brought = {} } = parsed
      assert.deepEqual(unpackFacts(packFacts(brought)), structuredClone(brought))
    }),
    { numRuns: 3000 },
  )
  assert.ok(kept > 30, `only ${kept} messages were accepted`)
})

test('no rejection quotes a value', () => {
  const secret = 'hunter2'
  const value = fc.letrec((tie) => ({
    any: fc.oneof(
      { depthSize: 'small' },
      fc.constantFrom(secret, `${secret}\u0000`, `\ud800${secret}`, secret.repeat(40), null, true, -1, 0.5, 3, 2 ** 53),
      fc.array(tie('any'), { maxLength: 2 }),
      fc.dictionary(fc.constantFrom('input_tokens', 'prompt_tokens', 'cost', 'pages', 'tier', 'Words'), tie('any')),
    ),
  })).any
  const names = ['text', 'timestamp', 'report_id', 'user_id', ...MESSAGE_FIELDS.map((field) => field.name), 'other']
  const format = fc.constantFrom(null, 'openai', 'openrouter')
  const rejected = new Set<string>()
  fc.assert(
    fc.property(fc.constantFrom(...names), value, format, (name, each, usageFormat) => {
      const parsed = parse({ text: secret, usage_format: usageFormat, [name]: each })
      if (!isRejection(parsed)) return
      rejected.add(parsed.field.split('.')[0] ?? '')
      assert.doesNotMatch(`${parsed.field} ${parsed.reason}`, /hunter/)
    }),
    { numRuns: 3000 },
  )
  assert.deepEqual([...rejected].sort(), names.sort())
})
