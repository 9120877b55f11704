import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { LineSplitter, type LineSplitterSettings } from './lines.ts'

const TOO_LONG = undefined

const split = (chunks: readonly string[], settings?: LineSplitterSettings): readonly (string | undefined)[] => {
  const splitter = new LineSplitter(settings)
  const lines = chunks.flatMap((chunk) => [...splitter.push(Buffer.from(chunk))])
  const last = splitter.end()
  const all = last === undefined ? lines : [...lines, last]
  assert.deepEqual(
    all.map(({ number }) => number),
    all.map((_, index) => index + 1),
  )
  assert.equal(splitter.bytesPassed, Buffer.byteLength(chunks.join('')), 'at the end, no byte is kept')
  return all.map(({ bytes }) => (bytes === undefined ? TOO_LONG : Buffer.from(bytes).toString()))
}

test('the lines of a stream do not depend on how it arrives', () => {
  const piece = fc.string({ unit: fc.constantFrom('\n', 'a', 'é', '\r'), maxLength: 12 })
  fc.assert(
    fc.property(fc.array(piece), (chunks) => {
      const text = chunks.join('')
      const lines = text.split('\n')
      assert.deepEqual(split(chunks), text.endsWith('\n') || text === '' ? lines.slice(0, -1) : lines)
    }),
  )
})

test('a line that is too long has no bytes, and the next line is whole', () => {
  for (const chunks of [['12345\n1234\n'], ['123', '45', '\n', '1234', '\n'], ['1234', '5', '\n1', '234']])
    assert.deepEqual(split(chunks, { bytesMax: 4 }), [TOO_LONG, '1234'], JSON.stringify(chunks))
})

test('the bytes of a line that is too long are not kept while it goes on', () => {
  const splitter = new LineSplitter({ bytesMax: 4 })
  assert.deepEqual([...splitter.push(Buffer.from('1234'))], [])
  assert.equal(splitter.bytesPassed, 0)
  assert.deepEqual([...splitter.push(Buffer.from('5'))], [])
  assert.equal(splitter.bytesPassed, 5)
})

test('while a chunk is being split, the lines after the current one are still kept', () => {
  const splitter = new LineSplitter()
  const passed: number[] = []
  for (const _ of splitter.push(Buffer.from('a\nbc\nd'))) passed.push(splitter.bytesPassed)
  assert.deepEqual(passed, [2, 5])
})

test('a line can end with another byte', () => {
  assert.deepEqual(split(['a\rb', '\r'], { end: 0x0d }), ['a', 'b'])
})
