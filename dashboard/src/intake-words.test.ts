import assert from 'node:assert/strict'
import { test } from 'node:test'
import { IGNORED as OF_LITELLM, SOURCE } from '../../src/litellm/calls.ts'
import { IGNORED as OF_OTLP } from '../../src/otlp/calls.ts'
import { OTHER, SOURCES } from '../../src/otlp/sources.ts'
import { reasonText, sourceName } from './intake-words.ts'

test('every source that the service knows has a name', () => {
  for (const source of ['messages', 'events', SOURCE, OTHER.name, ...SOURCES.map(({ name }) => name)])
    assert.notEqual(sourceName(source), source)
})

test('every reason to ignore something is said in words', () => {
  for (const reason of Object.keys({ ...OF_LITELLM, ...OF_OTLP }))
    assert.notEqual(reasonText({ outcome: 'ignored', reason, records: 1 }), reason)
})

test('a rejection names its field', () => {
  assert.equal(
    reasonText({ outcome: 'rejected', field: 'user_id', reason: 'must be a string', records: 1 }),
    'user_id must be a string',
  )
  assert.equal(
    reasonText({ outcome: 'rejected', field: '', reason: 'must be an object', records: 1 }),
    'must be an object',
  )
})
