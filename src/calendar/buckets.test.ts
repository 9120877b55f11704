import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { CALENDAR_BEGINS } from '#model/organization.ts'
import { BUCKET_WIDTHS, bucketsBetween } from './buckets.ts'
import { createDayFinder, dayAt } from './days.ts'
import { periodAt } from './periods.ts'

const hours = (timeZone: string, from: string, to: string): readonly string[] =>
  [...bucketsBetween({ from: Date.parse(from), to: Date.parse(to), width: 'hour', timeZone })].map(({ start }) =>
    new Date(start).toISOString().slice(11, 16),
  )

const lengths = (width: 'day' | 'week' | 'month', timeZone: string, from: string, to: string): readonly number[] =>
  [...bucketsBetween({ from: Date.parse(from), to: Date.parse(to), width, timeZone })].map(
    ({ start, end }) => (end - start) / 3_600_000,
  )

test('a day has as many hours as the clock gives it, such as 23, 24.5 or 25', () => {
  assert.deepEqual(lengths('day', 'Europe/London', '2024-03-30T00:00:00Z', '2024-04-01T23:00:00+01:00'), [24, 23, 23])
  assert.deepEqual(lengths('day', 'Europe/London', '2024-10-26T00:00:00+01:00', '2024-10-29T00:00:00Z'), [24, 25, 24])
  assert.deepEqual(
    lengths('day', 'Australia/Lord_Howe', '2024-04-06T00:00:00+11:00', '2024-04-08T00:00:00+10:30'),
    [24, 24.5],
  )
})

test('weeks start on Monday, months on the first, and the first and last buckets are cut to the range', () => {
  assert.deepEqual(lengths('week', 'UTC', '2024-05-01T06:00:00Z', '2024-05-14T00:00:00Z'), [4 * 24 + 18, 7 * 24, 24])
  assert.deepEqual(lengths('month', 'Asia/Kolkata', '2024-01-31T18:30:00Z', '2024-03-31T18:30:00Z'), [29 * 24, 31 * 24])
})

test('hours follow the clock, and an hour that occurs twice is two buckets', () => {
  assert.deepEqual(hours('Europe/London', '2024-10-27T00:00:00Z', '2024-10-27T03:00:00Z'), ['00:00', '01:00', '02:00'])
  assert.deepEqual(hours('Asia/Kathmandu', '2024-05-01T00:00:00Z', '2024-05-01T02:00:00Z'), ['00:00', '00:15', '01:15'])
  // The clock was set back at one minute past midnight.
  assert.deepEqual(hours('America/St_Johns', '2010-11-07T01:30:00Z', '2010-11-07T04:30:00Z'), [
    '01:30',
    '02:30',
    '02:31',
    '03:30',
  ])
  assert.deepEqual(hours('Australia/Lord_Howe', '2024-04-06T14:00:00Z', '2024-04-06T17:00:00Z'), [
    '14:00',
    '15:00',
    '15:30',
    '16:30',
  ])
})

test('buckets of every width cover a range without gaps or overlaps', () => {
  const zone = fc.constantFrom(
    'UTC',
    'America/Sao_Paulo',
    'Australia/Lord_Howe',
    'Pacific/Apia',
    'Asia/Kathmandu',
    'Africa/Cairo',
  )
  const start = fc.integer({ min: Date.parse('2010-01-01T00:00:00Z'), max: Date.parse('2030-01-01T00:00:00Z') })
  fc.assert(
    fc.property(
      zone,
      start,
      fc.integer({ min: 1, max: 20 * 86_400_000 }),
      fc.constantFrom(...BUCKET_WIDTHS),
      (timeZone, from, length, width) => {
        const buckets = [...bucketsBetween({ from, to: from + length, width, timeZone })]
        assert.equal(buckets[0]?.start, from)
        assert.equal(buckets.at(-1)?.end, from + length)
        for (const [index, { start: begins, end }] of buckets.entries()) {
          assert.ok(begins < end)
          assert.equal(buckets[index + 1]?.start ?? end, end)
        }
      },
    ),
    { numRuns: 200 },
  )
})

test('the first buckets of a range of any length are found without computing the rest', () => {
  const buckets = bucketsBetween({
    from: Date.parse('0001-01-01T00:00:00Z'),
    to: 8.64e15,
    width: 'hour',
    timeZone: 'UTC',
  })
  assert.equal(buckets.next().done, false)
  assert.deepEqual([...bucketsBetween({ from: 5, to: 5, width: 'day', timeZone: 'UTC' })], [])
})

test('the day finder with its cache finds the same days as the plain function', () => {
  const calendar = [
    { effectiveFrom: CALENDAR_BEGINS, timeZone: 'Australia/Lord_Howe', anchorDay: 1 },
    { effectiveFrom: Date.parse('2024-04-05T00:00:00+10:30'), timeZone: 'Australia/Lord_Howe', anchorDay: 9 },
  ] as const
  const find = createDayFinder(calendar)
  const instant = fc.integer({ min: Date.parse('2024-04-01T00:00:00Z'), max: Date.parse('2024-04-12T00:00:00Z') })
  fc.assert(
    fc.property(instant, (at) => {
      const periodStart = periodAt(calendar, dayAt(calendar, at).start).start
      assert.deepEqual(find(at), { ...dayAt(calendar, at), periodStart })
    }),
    { numRuns: 2000 },
  )
})
