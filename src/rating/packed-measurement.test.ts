import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { LONGEST_WORD } from '#model/measurement.ts'
import { measure } from '#rating/measure.ts'
import { packMeasurement, unpackMeasurement } from './packed-measurement.ts'

test('a measurement survives packing and unpacking unchanged', () => {
  const count = fc.oneof(fc.nat(300), fc.integer({ min: 0, max: 2 ** 40 }))
  const measurement = fc.record(
    {
      codePoints: count,
      wordLengths: fc.array(count, { maxLength: LONGEST_WORD }),
      thirdVowels: count,
      wordsDiffer: fc.boolean(),
      palindrome: fc.boolean(),
    },
    { noNullPrototype: true },
  )
  fc.assert(fc.property(measurement, (each) => assert.deepEqual(unpackMeasurement(packMeasurement(each)), each)))
})

test('packing a measurement leaves those that were packed before it as they are', () => {
  const packed = Array.from({ length: 5000 }, (_, codePoints) => packMeasurement({ ...measure('a word'), codePoints }))
  const wrong = packed.findIndex((each, codePoints) => unpackMeasurement(each).codePoints !== codePoints)
  assert.equal(wrong, -1)
})

test('the packed measurement of a message of typical length is small', () => {
  assert.equal(packMeasurement(measure('What is the lease term?')).length, 8)
})

test('bytes that are not a packed measurement are rejected', () => {
  for (const bytes of [[], [0], [0, 1], [9, 1, 1], [0, 1, 0x80]]) {
    assert.throws(() => unpackMeasurement(Uint8Array.from(bytes)), RangeError)
  }
})
