import assert from 'node:assert/strict'
import { test } from 'node:test'
import { InvalidRequest } from '#model/errors.ts'
import { CALENDAR_BEGINS, type Organization } from '#model/organization.ts'
import { type RangeQuery, rangeOf } from './usage-range.ts'

const BERLIN: Organization = {
  id: 'berlin',
  name: 'Berlin',
  createdAt: 0,
  calendar: [{ effectiveFrom: CALENDAR_BEGINS, timeZone: 'Europe/Berlin', anchorDay: 1 }],
}
const current = { from: Date.parse('2024-05-01T00:00:00+02:00'), to: Date.parse('2024-06-01T00:00:00+02:00') }
const place = { organization: BERLIN, time: Date.parse('2024-05-15T12:00:00Z'), current }
const range = (from: string, to: string) => ({ from: Date.parse(from), to: Date.parse(to) })

test('a named period begins and ends at midnight in the time zone of the organization', () => {
  assert.equal(rangeOf(place, {}), current)
  assert.equal(rangeOf(place, { period: 'current' }), current)
  const march = range('2024-03-01T00:00:00+01:00', '2024-04-01T00:00:00+02:00')
  assert.deepEqual(rangeOf(place, { period: '2024-03' }), march)
  assert.deepEqual(rangeOf(place, { period: '2024-03-01' }), march)
  assert.deepEqual(
    rangeOf(place, { period: 'previous' }),
    range('2024-04-01T00:00:00+02:00', '2024-05-01T00:00:00+02:00'),
  )
})

test('a date is the midnight at its start in the time zone of the organization, and an instant is itself', () => {
  assert.deepEqual(
    rangeOf(place, { from: '2024-03-31', to: '2024-04-01' }),
    range('2024-03-31T00:00:00+01:00', '2024-04-01T00:00:00+02:00'),
  )
  assert.deepEqual(
    rangeOf(place, { from: '2024-05-01T10:00:00Z', to: '2024-05-02' }),
    range('2024-05-01T10:00:00Z', '2024-05-02T00:00:00+02:00'),
  )
})

test('a range that is incomplete, empty, reversed or no range is refused, and the error names the field', () => {
  const refused: readonly (readonly [RangeQuery, RegExp])[] = [
    [{ period: '2024-13' }, /period/],
    [{ period: '2024-05-02' }, /period/],
    [{ period: '2024-05', from: '2024-05-01', to: '2024-05-02' }, /period/],
    [{ to: '2024-05-02' }, /from/],
    [{ from: '2024-05-02' }, /to/],
    [{ from: '2024-02-30', to: '2024-05-02' }, /from/],
    [{ from: '2024-05-02', to: '2024-05-02' }, /to/],
    [{ from: '2024-05-03', to: '2024-05-02' }, /to/],
  ]
  for (const [query, field] of refused) {
    assert.throws(
      () => rangeOf(place, query),
      (error) => error instanceof InvalidRequest && field.test(error.field),
      JSON.stringify(query),
    )
  }
})
