import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { credits, toMicros } from './format.ts'
import { amountOf } from './typed-amount.ts'

test('reads an amount with a decimal comma, and one with commas between thousands', () => {
  for (const [typed, amount] of [
    ['2.5', '2.5'],
    ['2,5', '2.5'],
    ['0,125', '0.125'],
    [',5', '.5'],
    ['7,', '7.'],
    ['1,000', '1000'],
    ['12,345,678.25', '12345678.25'],
    [' 3 ', '3'],
    ['1.000,5', undefined],
    ['1,00,0', undefined],
    ['12,3456', '12.3456'],
    ['1 000', undefined],
    ['-1', undefined],
    ['1e3', undefined],
    [',', undefined],
    ['', undefined],
  ] as const) {
    assert.equal(amountOf(typed), amount, typed)
  }
})

test('reads every amount as the page writes it', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 999_999_999_000_000 }), (micros) => {
      const amount = amountOf(credits(micros))
      assert.equal(toMicros(Number(amount)), micros)
    }),
  )
})
