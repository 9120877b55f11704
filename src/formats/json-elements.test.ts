import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { BadJsonList, JsonElements } from './json-elements.ts'

type Outcome = { readonly values: readonly unknown[]; readonly lines: readonly number[]; readonly around: unknown }

/** The elements of a text that arrives in chunks of `size` bytes. */
const read = (text: string, size = 1_000_000): Outcome => {
  const bytes = Buffer.from(text)
  const cutter = new JsonElements()
  const found = []
  // Each chunk is a copy: a stream may reuse a chunk's memory.
  for (let at = 0; at < bytes.length; at += size) {
    for (const { bytes: element, line } of cutter.push(Buffer.from(bytes.subarray(at, at + size)))) {
      found.push({ value: JSON.parse(element.toString()), line })
    }
  }
  cutter.end()
  const around = cutter.around()
  return {
    values: found.map(({ value }) => value),
    lines: found.map(({ line }) => line),
    around: around === undefined ? undefined : JSON.parse(around.toString()),
  }
}

const A = '{"id":1,"text":"a \\" ] } , [ \\\\","x":[{"messages":[1,2]}]}'
const B = '{"id":2}'
const [a, b] = [JSON.parse(A), JSON.parse(B)]

for (const [what, text, lines, around] of [
  ['an array', `[${A},${B}]`, [1, 1], undefined],
  ['an array over lines', `\n[\n  ${A},\r\n${B}\n]\n`, [3, 4], undefined],
  ['a listing', `{"messages":[${A},${B}]}`, [1, 1], { messages: [] }],
  [
    'a listing with more around it',
    `{"next":{"messages":[3]},"messages" : [\n${A},\n${B}\n],"n":[1]}\n`,
    [2, 3],
    undefined,
  ],
  ['a listing whose name is escaped', `{"\\u006dessages":[${A},${B}]}`, [1, 1], { messages: [] }],
  ['objects line by line', `${A}\n${B}\n`, [1, 2], undefined],
  ['objects without anything between', `${A}${B}`, [1, 1], undefined],
  ['objects over lines', `${JSON.stringify(a, null, 2)}\n${JSON.stringify(b, null, 2)}`, [1, 15], undefined],
] as const) {
  test(`the elements of ${what} are found with their lines, for chunks of any size`, () => {
    for (const size of [1, 2, 7, 1_000_000]) {
      const found = read(text, size)
      assert.deepEqual(found.values, [a, b], `${size}`)
      assert.equal(found.lines[0], lines[0])
      if (what !== 'objects over lines') assert.deepEqual(found.lines, lines, `${size}`)
      if (around !== undefined) assert.deepEqual(found.around, around)
    }
  })
}

test('an empty array and an empty listing have no elements', () => {
  for (const text of ['[]', ' [ \n ] ', '{"messages":[]}', '{"messages":[ ]}'])
    assert.deepEqual(read(text, 1).values, [])
})

test('invalid JSON around the elements is rejected with its line and column', () => {
  for (const [text, line, column, reason] of [
    ['[{"id":1},]', 1, 11, /missing/],
    ['[,{"id":1}]', 1, 2, /missing/],
    ['[{"id":1},,{"id":2}]', 1, 11, /missing/],
    ['[{"id":1}]\n[{"id":2}]', 2, 1, /after the end/],
    ['{"messages":[]}{"messages":[]}', 1, 16, /after the end/],
    ['{"messages":[],"messages":[]}', 1, 27, /duplicate/],
    ['[\n{"id":1', 2, 1, /never closed/],
    ['{"messages":[', 1, 14, /never closed/],
    ['{"id":1}\nnull', 2, 1, /object or array/],
    ['[{"id":1}}]', 1, 10, /unmatched/],
    ['"a text"', 1, 1, /object or array/],
  ] as const) {
    for (const size of [1, 1000]) {
      assert.throws(
        () => read(text, size),
        (error) => {
          assert.ok(error instanceof BadJsonList, `${text}: ${error}`)
          assert.deepEqual([error.line, error.column], [line, column], text)
          assert.match(error.message, reason)
          return true
        },
        text,
      )
    }
  }
})

test('any array yields its values, for any formatting and any chunk size', () => {
  fc.assert(
    fc.property(fc.array(fc.jsonValue()), fc.nat(3), fc.integer({ min: 1, max: 9 }), (values, indent, size) => {
      const expected = JSON.parse(JSON.stringify(values))
      assert.deepEqual(read(JSON.stringify(values, null, indent), size).values, expected)
      assert.deepEqual(read(JSON.stringify({ n: 1, messages: values }, null, indent), size).values, expected)
    }),
  )
})
