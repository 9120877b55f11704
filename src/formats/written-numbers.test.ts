import assert from 'node:assert/strict'
import { test } from 'node:test'
import { InvalidJson } from './json.ts'
import {
  dividedBy,
  type Fraction,
  fractionOf,
  isSame,
  minus,
  readWrittenJson,
  times,
  WrittenNumber,
  wholeOf,
} from './written-numbers.ts'

const fraction = (text: string): Fraction => fractionOf(text) ?? assert.fail(text)

test('numbers stay as they are written, wherever they are', () => {
  const read = readWrittenJson(
    Buffer.from('{"a": 2.50e-07, "b": [0.1, "0.1", null], "c": {"d": 12345678901234567890}}'),
  )
  const number = (text: string) => new WrittenNumber(text)
  assert.deepEqual(read, {
    a: number('2.50e-07'),
    b: [number('0.1'), '0.1', null],
    c: { d: number('12345678901234567890') },
  })
  assert.throws(() => readWrittenJson(Buffer.from('{"a": 1, "a": 2}')), InvalidJson)
})

test('a number is read exactly, in plain digits or with an exponent', () => {
  assert.deepEqual(fractionOf('2.5e-07'), { over: 25n, under: 100_000_000n })
  assert.deepEqual(fractionOf('-1.5E+2'), { over: -150n, under: 1n })
  assert.ok(isSame(fraction('0.30'), fraction('3e-1')))
  for (const text of ['', 'x', '1e', '1e9999', '.5', 'NaN']) assert.equal(fractionOf(text), undefined, text)
})

test('sums of decimals that a double cannot hold are exact', () => {
  assert.ok(isSame(minus(fraction('0.3'), fraction('0.1')), fraction('0.2')))
  assert.equal(wholeOf(dividedBy(times(fraction('2.5e-7'), fraction('1e6')), fraction('0.01'))), 25n)
  assert.equal(wholeOf(dividedBy(fraction('1'), fraction('3'))), undefined)
})
