import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { test } from 'node:test'
import { isDeepStrictEqual } from 'node:util'
import fc from 'fast-check'
import type { TokenCounts } from '#model/facts.ts'
import type { Message } from '#model/message.ts'
import { canonicalContent, createContentDigest } from './content-digest.ts'
import { isRejection, parseIncoming } from './incoming-message.ts'

const KEY = '0123456789abcdef'.repeat(3)
const message: Message = { id: 1, text: 'What is the lease term?', timestamp: '2024-05-01T00:00:00.000Z' }

const NONE: TokenCounts = { input: 0, cacheRead: 0, cacheWrite: 0, output: 0, reasoning: 0, cacheWrite1h: 0 }

test('a digest is the first half of the HMAC-SHA-256 of the content', () => {
  const digest = createContentDigest(KEY)
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), fc.string({ minLength: 1 }), (text, id) => {
      const each = { ...message, id, text }
      const wanted = createHmac('sha256', KEY).update(canonicalContent(each)).digest().subarray(0, 16)
      assert.deepEqual(Buffer.from(digest(each)), wanted)
    }),
  )
})

/** Digests under KEY. Databases are full of them: a different one would turn every message that is sent again into a conflict. */
const PINNED: readonly (readonly [Message, string])[] = [
  [message, 'c7328393f3089e5acabecb3d1326f6f3'],
  [{ id: 'a', text: '', timestamp: '2024-05-01T02:00:00.500+02:00' }, '9223b1d727c4d9c88d85dc7e382dbfaf'],
  [
    { id: -5, text: 'Straße 🙂 e\u0301', timestamp: '2024-04-29T02:08:29.3751Z', reportId: 5392 },
    'e98684c39f046d2c4ec7243e9f6926b8',
  ],
  [
    { id: 'b', text: 'lone \ud800 surrogate', timestamp: '2024-05-01T00:00:00Z', member: 'ada' },
    'e92b59fe06d0f868af59a0b0194ac589',
  ],
  [
    { id: 'c', text: 'a\u0000b "q"', timestamp: '2024-05-01T00:00:00Z', reportId: 'r-1', member: 'ben' },
    'c51a3a8c33d0a885fbcf4e5ae4cb6382',
  ],
]

test('the digest of a text is the one that existing databases keep', () => {
  const digest = createContentDigest(KEY)
  for (const [each, pinned] of PINNED) assert.equal(Buffer.from(digest(each)).toString('hex'), pinned)
})

test('every part of a message changes its digest; of the timestamp, only the instant does', () => {
  const digest = createContentDigest(KEY)
  const of = (change: Partial<Message>): string => Buffer.from(digest({ ...message, ...change })).toString('hex')
  const different: Partial<Message>[] = [
    {},
    { id: 2 },
    { id: '1' },
    { text: 'What is the lease term' },
    { text: '\ud800' },
    { text: '\udfff' },
    { text: '\ufffd' },
    { text: '"\\ud800"' },
    { timestamp: '2024-05-01T00:00:00.0000001Z' },
    { reportId: 5 },
    { member: '5' },
    { member: '5', reportId: 5 },
    { team: 'a' },
    { brought: { model: 'a' } },
    { brought: { tokens: NONE } },
    { brought: { tokens: { ...NONE, input: 1 } } },
    { brought: { tokens: { ...NONE, reasoning: 1, output: 1 } } },
    { brought: { tokens: { ...NONE, output: 1 } } },
    { brought: { quantities: { a: 0 } } },
    { brought: { quantities: { a: 1 } } },
    { brought: { attributes: { a: '1' } } },
    { brought: { attributes: { a: true } } },
    { brought: { attributes: { a: 'true' } } },
    { brought: { outcome: 'failed' } },
    { brought: { outcome: 'retried' } },
  ]
  assert.equal(new Set(different.map(of)).size, different.length)
  for (const timestamp of ['2024-05-01T02:00:00+02:00', '2024-05-01t00:00:00.000000z', '2024-04-30T23:59:00-00:01']) {
    assert.equal(of({ timestamp }), of({}), timestamp)
  }
  assert.equal(of({ reportId: '5' }), of({ reportId: 5 }))
  const other = createContentDigest(KEY.replace('0', '1'))
  assert.notDeepEqual(other(message), digest(message))
})

test('a content key that is not 32 to 64 visible ASCII characters is rejected', () => {
  for (const key of ['', 'short', 'ä'.repeat(40), 'x'.repeat(65)])
    assert.throws(() => createContentDigest(key), RangeError)
})

test('the content of what a message brought is JSON with sorted keys, and without zeros', () => {
  const content = (changed: Partial<Message>): string => {
    const { text: _, ...rest } = message
    return canonicalContent({ ...rest, ...changed })
      .split('\u0000')
      .slice(4)
      .join('\u0000')
  }
  assert.equal(content({ reportId: 5 }), 'f{"text":null}')
  assert.equal(content({ brought: { tokens: NONE } }), 'f{"text":null,"usage":{}}')
  assert.equal(content({ text: 'a\u0000\ud800', team: 'b' }), 'f{"team":"b","text":"a\\u0000\\ud800"}')
  assert.equal(
    content({
      team: 't',
      brought: {
        outcome: 'failed',
        model: 'gpt-5.4',
        tokens: { input: 1, cacheRead: 2, cacheWrite: 3, output: 4, reasoning: 5, cacheWrite1h: 6 },
        quantities: { b: 0, a: 0.000001 },
        attributes: { z: true, y: 'x' },
      },
    }),
    'f{"attributes":{"y":"x","z":true},"model":"gpt-5.4","outcome":"failed","quantities":{"a":0.000001,"b":0},"team":"t",' +
      '"text":null,"usage":{"cache_read_tokens":2,"cache_write_1h_tokens":6,"cache_write_tokens":3,"input_tokens":1,' +
      '"output_tokens":4,"reasoning_tokens":5}}',
  )
})

const parsed = (fields: object): Message => {
  const entry = { id: 1, timestamp: '2024-05-01T00:00:00Z', ...fields }
  const read = parseIncoming(entry, { textBytesMax: 100, aheadMaxMs: 0 }, Date.parse('2024-05-02'))
  assert.ok(!isRejection(read), JSON.stringify(read))
  return read
}
const contentOf = (fields: object): string => canonicalContent(parsed(fields))

test('the same usage in two formats, or with its defaults written out, is the same content', () => {
  const own = { usage: { input_tokens: 6, cache_read_tokens: 4, output_tokens: 2 } }
  const openai = {
    prompt_tokens: 10,
    prompt_tokens_details: { cached_tokens: 4 },
    completion_tokens: 2,
    total_tokens: 12,
  }
  const anthropic = { input_tokens: 6, cache_read_input_tokens: 4, output_tokens: 2 }
  for (const same of [
    { usage: openai, usage_format: 'openai' },
    { usage: anthropic, usage_format: 'anthropic' },
    { usage: { ...own.usage, reasoning_tokens: 0 }, outcome: 'succeeded', quantities: {}, text: null },
  ]) {
    assert.equal(contentOf(same), contentOf(own))
  }
  assert.equal(contentOf({ text: 'a', outcome: 'succeeded' }), contentOf({ text: 'a' }))
  assert.notEqual(contentOf({ ...own, text: '' }), contentOf(own))
})

/** The same counts as each format says them. Reasoning is part of output, and only some formats have the other kinds. */
const SPELLINGS: readonly ((tokens: TokenCounts) => object)[] = [
  ({ input, cacheRead, cacheWrite, output, reasoning }) => ({
    usage_format: 'openrouter',
    usage: {
      prompt_tokens: input + cacheRead + cacheWrite,
      prompt_tokens_details: { cached_tokens: cacheRead, cache_write_tokens: cacheWrite },
      completion_tokens: output,
      completion_tokens_details: { reasoning_tokens: reasoning },
      total_tokens: input + cacheRead + cacheWrite + output,
    },
  }),
  ({ input, cacheRead, cacheWrite, output, reasoning }) => ({
    usage_format: 'ai-sdk',
    usage: {
      inputTokens: input + cacheRead + cacheWrite,
      inputTokenDetails: { noCacheTokens: input, cacheReadTokens: cacheRead, cacheWriteTokens: cacheWrite },
      outputTokens: output,
      outputTokenDetails: { textTokens: output - reasoning, reasoningTokens: reasoning },
    },
  }),
  ({ input, cacheRead, cacheWrite, output, reasoning }) => ({
    usage: {
      reasoning_tokens: reasoning,
      output_tokens: output,
      cache_write_tokens: cacheWrite,
      cache_write_1h_tokens: 0,
      cache_read_tokens: cacheRead,
      input_tokens: input,
    },
  }),
]
const WITHOUT_WRITES: readonly ((tokens: TokenCounts) => object)[] = [
  ({ input, cacheRead, output, reasoning }) => ({
    usage_format: 'openai',
    usage: {
      input_tokens: input + cacheRead,
      input_tokens_details: { cached_tokens: cacheRead },
      output_tokens: output,
      output_tokens_details: { reasoning_tokens: reasoning },
    },
  }),
  ({ input, cacheRead, output, reasoning }) => ({
    usage_format: 'gemini',
    usage: {
      promptTokenCount: input + cacheRead,
      cachedContentTokenCount: cacheRead,
      candidatesTokenCount: output - reasoning,
      thoughtsTokenCount: reasoning,
      totalTokenCount: input + cacheRead + output,
    },
  }),
]
const WITHOUT_REASONING: readonly ((tokens: TokenCounts) => object)[] = [
  ({ input, cacheRead, cacheWrite, output }) => ({
    usage_format: 'anthropic',
    usage: {
      input_tokens: input,
      cache_read_input_tokens: cacheRead,
      cache_creation: { ephemeral_5m_input_tokens: cacheWrite },
      output_tokens: output,
    },
  }),
]

test('however a format says the same counts, and whatever default is written out, the content is the same', () => {
  const count = fc.oneof(fc.constant(0), fc.nat(), fc.nat(2 ** 40))
  const counts = fc.record({ input: count, cacheRead: count, cacheWrite: count, output: count, reasoning: count })
  const defaults = fc.record(
    {
      text: fc.constant(null),
      report_id: fc.constant(null),
      user_id: fc.constant(null),
      team_id: fc.constant(null),
      model: fc.constant(null),
      quantities: fc.constantFrom(null, {}, { pages: null }),
      attributes: fc.constantFrom(null, {}, { tier: null }),
      outcome: fc.constantFrom(null, 'succeeded'),
    },
    { requiredKeys: [] },
  )
  fc.assert(
    fc.property(counts, defaults, (some, more) => {
      const tokens = { ...NONE, ...some, reasoning: Math.min(some.reasoning, some.output) }
      const { input, cacheRead, cacheWrite, output, reasoning } = tokens
      const own = {
        input_tokens: input,
        ...(cacheRead > 0 && { cache_read_tokens: cacheRead }),
        ...(cacheWrite > 0 && { cache_write_tokens: cacheWrite }),
        ...(output > 0 && { output_tokens: output }),
        ...(reasoning > 0 && { reasoning_tokens: reasoning }),
      }
      const expected = contentOf({ usage: own })
      const same = [
        ...SPELLINGS,
        ...(cacheWrite === 0 ? WITHOUT_WRITES : []),
        ...(reasoning === 0 ? WITHOUT_REASONING : []),
      ]
      for (const spell of same) assert.equal(contentOf({ ...more, ...spell(tokens) }), expected)
    }),
  )
})

test('two messages have the same content only if all their facts are equal', () => {
  const name = fc.constantFrom('a', 'b', 'constructor', 'text_', 'usage')
  const text = fc.constantFrom('', 'a', '"', '\\', 'null', '{}', 'é', '1', 'true', 'failed')
  const facts = fc.record(
    {
      text,
      report_id: fc.constantFrom(1, '1', 'a'),
      user_id: fc.constantFrom('a', '1', 'f'),
      team_id: fc.constantFrom('a', '1'),
      model: fc.constantFrom('a', '1', 'null'),
      usage: fc.record(
        Object.fromEntries(
          ['input', 'cache_read', 'cache_write', 'output'].map((kind) => [`${kind}_tokens`, fc.nat(2)]),
        ),
        { requiredKeys: ['output_tokens'] },
      ),
      quantities: fc.dictionary(name, fc.constantFrom(0, 1, 0.1, 0.000001), { maxKeys: 2 }),
      attributes: fc.dictionary(name, fc.oneof(fc.boolean(), fc.constantFrom('a', 'true', '0')), { maxKeys: 2 }),
      outcome: fc.constantFrom('succeeded', 'failed', 'utility'),
    },
    { requiredKeys: ['text'] },
  )
  const isReadable = (fields: object): boolean => {
    const { quantities = {}, attributes = {} } = fields as { quantities?: object; attributes?: object }
    return !Object.keys(attributes).some((each) => Object.hasOwn(quantities, each))
  }
  // An id that is a number and one that is its digits name the same report.
  const known = (fields: object): unknown => {
    const { reportId, ...rest } = parsed(fields)
    return { ...rest, reportId: String(reportId) }
  }
  const pair = fc
    .tuple(facts, facts, fc.integer({ min: 0, max: 9 }))
    .map(([one, other, which]) => {
      const [field, value] = Object.entries(other)[which % Object.keys(other).length] ?? ['text', '']
      return [one, which === 9 ? other : { ...one, [field]: value }] as const
    })
    .filter((both) => both.every(isReadable))
  let equal = 0
  fc.assert(
    fc.property(pair, ([one, other]) => {
      const isSame = isDeepStrictEqual(known(one), known(other))
      if (isSame) equal++
      assert.equal(contentOf(one) === contentOf(other), isSame)
    }),
    { numRuns: 3000 },
  )
  assert.ok(equal > 100, `only ${equal} pairs were equal`)
})
