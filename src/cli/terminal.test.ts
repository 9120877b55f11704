import assert from 'node:assert/strict'
import { test } from 'node:test'
import { grouped } from './terminal.ts'

test('groups the digits of the whole part only', () => {
  assert.deepEqual([0, 999, 1000, 1234567, -12345, 1234.5678, 0.123456, '1234567.000001'].map(grouped), [
    '0',
    '999',
    '1,000',
    '1,234,567',
    '-12,345',
    '1,234.5678',
    '0.123456',
    '1,234,567.000001',
  ])
})
