import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { JsonListing, MalformedDocument } from './json-listing.ts'

/** Parses bytes in chunks that end at the given positions. */
const read = (bytes: Uint8Array, ends: readonly number[] = []): readonly unknown[] => {
  const taken: unknown[] = []
  const listing = new JsonListing((elements, first) => {
    assert.equal(first, taken.length)
    taken.push(...elements)
  })
  const edges = [0, ...ends.map((end) => Math.min(end, bytes.length)).sort((one, other) => one - other), bytes.length]
  for (let index = 1; index < edges.length; index++) listing.push(bytes.subarray(edges[index - 1], edges[index]))
  listing.end()
  return taken
}

const everyByte = (bytes: Uint8Array) => Array.from(bytes, (_, index) => index)

describe('a listing', () => {
  test('is parsed as JSON.parse parses it, for any division into chunks', () => {
    const element = fc.jsonValue({ maxDepth: 3, stringUnit: 'binary' })
    const around = fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 2 }), { maxKeys: 3 })
    const spaces = fc.constantFrom(undefined, 1, '\t')
    fc.assert(
      fc.property(
        fc.array(element),
        around,
        around,
        spaces,
        fc.array(fc.nat(300), { maxLength: 4 }),
        (messages, one, two, space, ends) => {
          const root = { ...one, messages: undefined, ...two }
          const bytes = Buffer.from(JSON.stringify({ ...root, messages }, undefined, space))
          const expected = JSON.parse(bytes.toString()).messages
          assert.deepEqual(read(bytes, ends), expected)
          assert.deepEqual(read(bytes, everyByte(bytes)), expected)
        },
      ),
      { numRuns: 500 },
    )
  })

  test('can have other fields, nested "messages", brackets in strings, and escapes', () => {
    for (const [json, count] of [
      ['{"messages":[]}', 0],
      [' { "messages" : [ ] } \n', 0],
      ['{"x":{"messages":[1,2]},"messages":[3]}', 1],
      ['{"x":"messages","messages":["]","[","\\"]","\\\\"]}', 4],
      ['{"mess\\u0061ges":[1,[2,[3]],{"a":[4]}]}', 3],
      ['{"messages":[1],"next":[[5],{"messages":[]}]}', 1],
      ['{"a":[1,2],"messages":[{"b":"}"}],"c":{}}', 1],
      ['\ufeff{"messages":[1]}', 1],
    ] as const) {
      const bytes = Buffer.from(json)
      assert.equal(read(bytes).length, count, json)
      assert.equal(read(bytes, everyByte(bytes)).length, count, json)
    }
  })

  test('that is invalid JSON, truncated or without messages is rejected without quoting it, for any division into chunks', () => {
    for (const json of [
      '',
      'null',
      '[]',
      '"messages"',
      '{}',
      '{"messages":null}',
      '{"messages":{}}',
      '{"messages":[]',
      '{"messages":[',
      '{"messages":[{"text":"secret',
      '{"messages":[{"text":"secret"}',
      '{"messages":[1,]}',
      '{"messages":[,1]}',
      '{"messages":[,]}',
      '{"messages":[1,,2]}',
      '{"messages":[1 2]}',
      '{"messages":[{"text":"secret"]]}',
      '{"messages":[{"text":secret}]}',
      '{"messages":[1]}}',
      '{"messages":[1]} secret',
      '{"messages":[1],"messages":[2]}',
      '{"messages":[1],"messages":2}',
      '["messages",[1]]',
      '{"messages" "messages":[1]}',
      '<html>secret</html>',
      '{"messages":["\\ud800\\"]}',
    ]) {
      const bytes = Buffer.from(json)
      for (const ends of [[], everyByte(bytes)]) {
        assert.throws(
          () => read(bytes, ends),
          (error) =>
            error instanceof MalformedDocument &&
            !JSON.stringify([error.message, String(error.cause)]).includes('secret'),
          json,
        )
      }
    }
  })

  test('with a duplicate key is rejected, around its messages or in one of them, and the error names the key', () => {
    for (const [json, name] of [
      ['{"messages":[{"id":1}],"messages":2}', 'messages'],
      ['{"messages":1,"messages":[{"id":1}]}', 'messages'],
      ['{"mess\\u0061ges":null,"messages":[{"id":1}]}', 'messages'],
      ['{"next":{"a":1,"a":2},"messages":[]}', 'next.a'],
      ['{"messages":[{"id":1},{"id":2,"text":"secret","\\u0069d":3}]}', 'messages[1].id'],
      ['{"messages":[{"id":1},{"id":2,"more":[{"x":1,"x":1}]}]}', 'messages[1].more[0].x'],
    ] as const) {
      const bytes = Buffer.from(json)
      for (const ends of [[], everyByte(bytes)]) {
        assert.throws(() => read(bytes, ends), { message: `the listing has a duplicate key: ${name}` }, json)
      }
    }
    assert.throws(() => read(Buffer.from('{"messages":[1],"messages":[2]}')), /duplicate key: messages/)
  })

  test('that is not UTF-8 is rejected, not repaired', () => {
    const bytes = Buffer.concat([Buffer.from('{"messages":["'), Buffer.of(0xff), Buffer.from('"]}')])
    assert.throws(() => read(bytes), /not valid UTF-8/)
  })

  test('with megabytes outside its "messages" array is rejected', () => {
    assert.throws(
      () => read(Buffer.from(`{"x":"${'x'.repeat(5_000_000)}","messages":[]}`)),
      /outside its "messages" array/,
    )
  })
})
