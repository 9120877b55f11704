import assert from 'node:assert/strict'
import { test } from 'node:test'
import { divided, halfUnit, plainText, toMicros, writtenDecimal } from './decimals.ts'

const READ: readonly (readonly [written: string, means: string, decimals: number])[] = [
  ['0.08689859999999999', '0.0868986', 7],
  ['0.4272621300000001', '0.42726213', 8],
  ['0.010000000000000002', '0.01', 2],
  ['0.30000000000000004', '0.3', 1],
  ['96.99903450000013', '96.9990345', 7],
  ['1.4e-05', '0.000014', 6],
  ['1.0000000000000001E-7', '0.0000001', 7],
  ['0.8999999999999999', '0.9', 1],
  ['9.999999999999999e-7', '0.000001', 6],
  ['2.7755575615628914e-17', '0', 0],
  ['-0.04', '-0.04', 2],
  ['+12', '12', 0],
  ['0.123456789012345', '0.123456789012345', 15],
  ['12.500', '12.5', 1],
  ['.5', '0.5', 1],
  ['7.', '7', 0],
  ['-0', '0', 0],
  ['1e3', '1000', 0],
  ['123456789012345', '123456789012345', 0],
  ['0.0868986000000000000', '0.0868986', 7],
]

test('a decimal is read for what it means, also where a float wrote it', () => {
  for (const [written, means, decimals] of READ) {
    const read = writtenDecimal(written)
    assert.ok(read, written)
    assert.deepEqual([plainText(read.value), read.decimals], [means, decimals], written)
  }
})

test('no amount of up to twelve decimals is lost when a float is written', () => {
  for (let micros = 1; micros < 2_000_000; micros += 997) {
    const [cents, sum] = [micros / 1e8, Array.from({ length: 3 }, () => micros / 1e8).reduce((a, b) => a + b)]
    assert.equal(writtenDecimal(String(cents))?.value, BigInt(micros) * 10n ** 10n)
    assert.equal(writtenDecimal(String(sum))?.value, BigInt(micros) * 3n * 10n ** 10n)
  }
})

test('what is no plain decimal is none', () => {
  for (const text of ['', '.', '-', '1,5', '1,234.5', '$4', '4 ', 'NaN', 'Infinity', '0x10', '1e', '1e16', '--1'])
    assert.equal(writtenDecimal(text), undefined, text)
})

test('half is rounded to even, below zero too', () => {
  assert.deepEqual(
    [5n, 15n, 25n, 26n, -5n, -15n, -16n].map((value) => divided(value, 10n)),
    [0n, 2n, 2n, 3n, -0n, -2n, -2n],
  )
  assert.equal(toMicros(writtenDecimal('96.9990345')?.value ?? 0n), 96_999_034n)
  assert.equal(plainText(halfUnit(2)), '0.005')
})
