import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { type IncomingMessage, isRejection, parseIncoming } from './incoming-message.ts'
import { createSenders } from './senders.ts'

const AT = Date.parse('2026-11-01T12:00:00Z')
const LIMITS = { textBytesMax: 1000, aheadMaxMs: 0 }

let ids = 0
const call = (more: Readonly<Record<string, unknown>> = {}, secondsLater = 0): IncomingMessage => {
  const entry = {
    id: `call-${++ids}`,
    timestamp: new Date(AT + secondsLater * 1000).toISOString(),
    user_id: 'ada',
    model: 'gpt-5.4',
    usage: { input_tokens: 10, cache_read_tokens: 5, output_tokens: 2 },
    ...more,
  }
  const parsed = parseIncoming(entry, LIMITS, AT + 3_600_000)
  assert.ok(!isRejection(parsed), JSON.stringify(parsed))
  return parsed
}

/** What `sent` makes overlap, as sources and number of calls. */
const overlapsOf = (...sent: readonly (readonly [string, IncomingMessage, string?])[]) => {
  const senders = createSenders(() => AT)
  for (const [source, message, organization = 'acme'] of sent) senders.saw(organization, { source }, [message])
  return senders.of('acme').overlaps.map(({ sources, calls }) => [...sources, calls])
}

describe('two sources overlap', () => {
  test('if both report a call of one member with the same model and tokens within a minute', () => {
    assert.deepEqual(overlapsOf(['messages', call()], ['ai-sdk', call({}, 60)]), [['ai-sdk', 'messages', 1]])
    assert.deepEqual(overlapsOf(['messages', call({}, 60)], ['ai-sdk', call()]), [['ai-sdk', 'messages', 1]])
    assert.deepEqual(overlapsOf(['messages', call()], ['ai-sdk', call({}, 60.001)]), [])
  })

  test('and each pair is counted by itself', () => {
    assert.deepEqual(overlapsOf(['a', call()], ['b', call()], ['a', call()], ['c', call()]), [
      ['a', 'b', 2],
      ['a', 'c', 1],
    ])
  })

  test('not if anything differs', () => {
    const others = [
      { user_id: 'bob' },
      { user_id: undefined },
      { model: 'gpt-5.4-mini' },
      { usage: { input_tokens: 11, cache_read_tokens: 5, output_tokens: 2 } },
      { usage: { input_tokens: 10, cache_write_tokens: 5, output_tokens: 2 } },
      { usage: { input_tokens: 10, cache_read_tokens: 5, output_tokens: 3 } },
    ]
    for (const other of others)
      assert.deepEqual(overlapsOf(['a', call()], ['b', call(other)]), [], JSON.stringify(other))
    assert.deepEqual(overlapsOf(['a', call()], ['a', call()]), [])
    assert.deepEqual(overlapsOf(['a', call()], ['b', call(), 'other']), [])
  })

  test('not in what is no call of a model', () => {
    const text = { usage: undefined, model: undefined, text: 'Hello' }
    assert.deepEqual(overlapsOf(['a', call(text)], ['b', call(text)]), [])
    assert.deepEqual(overlapsOf(['a', call({ usage: undefined })], ['b', call({ usage: undefined })]), [])
  })
})

test('what came is counted by source, with the most frequent reason first', () => {
  let time = AT
  const senders = createSenders(() => time)
  senders.took('acme', { source: 'b' }, { counts: { accepted: 2, duplicate: 1, conflict: 0, rejected: 0 } })
  time += 1000
  senders.took(
    'acme',
    { source: 'b' },
    {
      counts: { accepted: 1, duplicate: 0, conflict: 0, rejected: 2 },
      rejections: [
        { id: 'one', field: 'usage', reason: 'must be whole' },
        { id: 'two', field: 'usage', reason: 'must be whole' },
        { field: 'id', reason: 'must be present' },
      ],
      ignored: new Map([['agent', 5]]),
    },
  )
  senders.took('acme', { source: 'a' }, {})
  const { senders: seen } = senders.of('acme')
  assert.equal(senders.since, AT)
  assert.deepEqual(
    seen.map(({ source, lastSeen }) => [source, lastSeen]),
    [
      ['a', AT + 1000],
      ['b', AT + 1000],
    ],
  )
  const [, { counts, reasons } = assert.fail()] = seen
  assert.deepEqual(counts, { accepted: 3, unpriced: 0, duplicate: 1, conflict: 0, rejected: 2, ignored: 5 })
  assert.deepEqual(reasons, [
    { outcome: 'ignored', reason: 'agent', count: 5 },
    { outcome: 'rejected', field: 'usage', reason: 'must be whole', count: 2, latestId: 'two' },
    { outcome: 'rejected', field: 'id', reason: 'must be present', count: 1 },
  ])
  assert.deepEqual(senders.of('other').senders, [])
})

test('reasons beyond a hundred are counted together', () => {
  const senders = createSenders(() => AT)
  const rejections = Array.from({ length: 150 }, (_, index) => ({ field: `field-${index}`, reason: 'must be absent' }))
  senders.took('acme', { source: 'messages' }, { rejections })
  const [{ reasons } = assert.fail()] = senders.of('acme').senders
  assert.equal(reasons.length, 101)
  assert.deepEqual(reasons[0], { outcome: 'rejected', reason: 'other reasons', count: 50 })
})
