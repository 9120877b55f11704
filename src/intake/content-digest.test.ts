import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { test } from 'node:test'
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

test('the same usage in two formats, or with its defaults written out, is the same content', () => {
  const contentOf = (fields: object): string => {
    const entry = { id: 1, timestamp: '2024-05-01T00:00:00Z', ...fields }
    const parsed = parseIncoming(entry, { textBytesMax: 100, aheadMaxMs: 0 }, Date.parse('2024-05-02'))
    assert.ok(!isRejection(parsed), JSON.stringify(parsed))
    return canonicalContent(parsed)
  }
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
