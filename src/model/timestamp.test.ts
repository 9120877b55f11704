import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { canonicalTimestamp, instantOf, isCanonicalTimestamp, isTimestamp } from './timestamp.ts'

test('a timestamp is an RFC 3339 date-time with an offset', () => {
  for (const text of [
    '2024-04-29T02:08:29.375Z',
    '2024-04-29t02:08:29z',
    '2024-02-29T00:00:00+05:30',
    '2000-02-29T23:59:59-23:59',
    '2016-12-31T23:59:60Z',
    '0000-01-01T00:00:00.123456789012Z',
  ]) {
    assert.ok(isTimestamp(text), text)
  }
  for (const text of [
    '',
    'yesterday',
    '2024-04-29',
    '2024-04-29T02:08:29',
    '2024-04-29 02:08:29Z',
    '2024-04-29T02:08:29.Z',
    '2024-04-29T02:08Z',
    '2024-04-31T00:00:00Z',
    '2023-02-29T00:00:00Z',
    '1900-02-29T00:00:00Z',
    '2024-00-01T00:00:00Z',
    '2024-13-01T00:00:00Z',
    '2024-01-00T00:00:00Z',
    '2024-01-01T24:00:00Z',
    '2024-01-01T00:60:00Z',
    '2024-01-01T00:00:61Z',
    '2024-01-01T00:00:00+24:00',
    '2024-01-01T00:00:00+0530',
    ' 2024-01-01T00:00:00Z',
    '2024-01-01T00:00:00Z\n',
    '+02024-01-01T00:00:00Z',
  ]) {
    assert.ok(!isTimestamp(text), text)
  }
})

test('every calendar date makes a valid timestamp, and the day after the last of a month does not', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 9999 }), fc.integer({ min: 1, max: 12 }), (year, month) => {
      const last = Temporal.PlainYearMonth.from({ year, month }).daysInMonth
      const of = (day: number) => `${String(year).padStart(4, '0')}-${String(month).padStart(2, '0')}-${day}T00:00:00Z`
      assert.ok(isTimestamp(of(last)))
      assert.ok(!isTimestamp(of(last + 1)))
    }),
  )
})

test('the instant of a timestamp is truncated to milliseconds, and a leap second counts as the second before it', () => {
  for (const [timestamp, wanted] of [
    ['2024-04-29T02:08:29.375Z', '2024-04-29T02:08:29.375Z'],
    ['2024-04-29t02:08:29.3759999z', '2024-04-29T02:08:29.375Z'],
    ['2024-04-29T02:08:29+05:30', '2024-04-28T20:38:29.000Z'],
    ['2016-12-31T23:59:60Z', '2016-12-31T23:59:59.000Z'],
    ['2016-12-31T23:59:60.500Z', '2016-12-31T23:59:59.500Z'],
    ['0000-02-29T00:00:00.000Z', '0000-02-29T00:00:00.000Z'],
    ['9999-12-31T23:59:59.9Z', '9999-12-31T23:59:59.900Z'],
  ] as const) {
    assert.equal(canonicalTimestamp(instantOf(timestamp)), wanted)
    assert.equal(isCanonicalTimestamp(timestamp, instantOf(timestamp)), timestamp === wanted, timestamp)
  }
  const instant = fc.integer({ min: Date.parse('0000-01-01T00:00:00Z'), max: Date.parse('9999-12-31T23:59:59Z') })
  fc.assert(
    fc.property(instant, (at) => assert.equal(instantOf(canonicalTimestamp(at)), at)),
    { numRuns: 2000 },
  )
})
