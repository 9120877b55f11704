import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Message } from '#model/message.ts'
import { canonicalContent, createContentDigest } from './content-digest.ts'

const KEY = '0123456789abcdef'.repeat(3)
const message: Message = { id: 1, text: 'What is the lease term?', timestamp: '2024-05-01T00:00:00.000Z' }

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
