import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { type BillingCalendar, CALENDAR_BEGINS, type EpochMs } from '#model/organization.ts'
import { dayAt, daysBetween } from './days.ts'
import {
  CHANGE_LEAD_MS,
  changedCalendar,
  nameOfPeriod,
  periodAfter,
  periodAt,
  periodBefore,
  periodNamed,
  periodsBetween,
} from './periods.ts'
import { isTimeZone } from './zones.ts'

const ZONES = [
  'UTC',
  'Europe/London',
  'America/New_York',
  'America/Sao_Paulo',
  'America/Asuncion',
  'Africa/Cairo',
  'Asia/Kolkata',
  'Asia/Kathmandu',
  'Australia/Lord_Howe',
  'Pacific/Auckland',
  'Pacific/Apia',
]
const DAY_MS = 86_400_000
const iso = (at: EpochMs): string => new Date(at).toISOString()
const calendarOf = (timeZone: string, anchorDay: number): BillingCalendar => [
  { effectiveFrom: CALENDAR_BEGINS, timeZone, anchorDay },
]

/** The reference: a binary search for the first instant whose local date, as Intl formats it, is the given one or later. */
const firstInstantOf = (timeZone: string) => {
  const format = new Intl.DateTimeFormat('en-CA', { timeZone, year: 'numeric', month: '2-digit', day: '2-digit' })
  return (date: string): EpochMs => {
    let before = Date.parse(`${date}T00:00:00Z`) - 2 * DAY_MS
    let after = before + 4 * DAY_MS
    while (after - before > 1) {
      const middle = Math.floor((before + after) / 2)
      if (format.format(middle) >= date) after = middle
      else before = middle
    }
    return after
  }
}

describe('billing periods', () => {
  for (const timeZone of ZONES) {
    test(`start at the first instant of the anchor day for ten years in ${timeZone}`, () => {
      const first = firstInstantOf(timeZone)
      const years = timeZone === 'Pacific/Apia' ? { from: 2008, to: 2017 } : { from: 2016, to: 2025 }
      const starts = new Map<string, EpochMs>()
      for (const anchorDay of [1, 4, 15, 28, 29, 30, 31]) {
        const wanted: EpochMs[] = []
        for (let year = years.from; year <= years.to; year++) {
          for (let month = 1; month <= 12; month++) {
            const days = new Date(Date.UTC(year, month, 0)).getUTCDate()
            const date = `${year}-${String(month).padStart(2, '0')}-${String(Math.min(anchorDay, days)).padStart(2, '0')}`
            const start = starts.get(date) ?? first(date)
            starts.set(date, start)
            wanted.push(start)
          }
        }
        const calendar = calendarOf(timeZone, anchorDay)
        const found = periodsBetween(calendar, wanted[0] ?? 0, (wanted.at(-1) ?? 0) + 1)
        assert.deepEqual(
          found.map(({ start }) => iso(start)),
          wanted.map(iso),
        )
        for (const { start, end } of found) {
          assert.deepEqual(periodAt(calendar, start), { start, end })
          assert.deepEqual(periodAt(calendar, end - 1), { start, end })
          assert.equal(dayAt(calendar, start).start, start, 'a period starts with a day')
        }
      }
    })
  }

  test('start right after a midnight that does not exist, and right after a skipped day', () => {
    const saoPaulo = periodAt(calendarOf('America/Sao_Paulo', 4), Date.parse('2018-11-10T00:00:00Z'))
    assert.equal(iso(saoPaulo.start), '2018-11-04T03:00:00.000Z')
    const apia = periodAt(calendarOf('Pacific/Apia', 30), Date.parse('2012-01-05T00:00:00Z'))
    assert.equal(iso(apia.start), '2011-12-30T10:00:00.000Z', 'the beginning of the 31st: there was no 30th')
  })

  test('are named by the month in which they start', () => {
    const calendar = calendarOf('Pacific/Auckland', 31)
    assert.equal(periodNamed(calendar, '2024-02-28'), undefined)
    const found = periodNamed(calendar, '2024-02')
    assert.deepEqual(found && [iso(found.start), iso(found.end)], [
      '2024-02-28T11:00:00.000Z',
      '2024-03-30T11:00:00.000Z',
    ])
    for (let month = 1; month <= 12; month++) {
      const name = `2024-${String(month).padStart(2, '0')}`
      const named = periodNamed(calendar, name)
      assert.equal(named && nameOfPeriod(calendar, named), name)
    }
  })

  test('that start in the same month have different names: the later one is named by the day on which it starts', () => {
    const now = Date.parse('2024-05-05T00:00:00Z')
    const changed = changedCalendar(calendarOf('Asia/Kolkata', 1), { anchorDay: 15, timeZone: 'America/New_York' }, now)
    const periods = periodsBetween(changed, now, Date.parse('2024-07-16T00:00:00Z'))
    assert.deepEqual(
      periods.map((period) => [nameOfPeriod(changed, period), iso(period.start)]),
      [
        ['2024-05', '2024-04-30T18:30:00.000Z'],
        ['2024-05-31', '2024-05-31T18:30:00.000Z'],
        ['2024-06', '2024-06-15T04:00:00.000Z'],
        ['2024-07', '2024-07-15T04:00:00.000Z'],
      ],
    )
  })

  test('around a change of time zone: the current period ends as planned, and the next one is never just a few hours long', () => {
    const now = Date.parse('2024-05-15T00:00:00Z')
    const changed = changedCalendar(calendarOf('UTC', 1), { timeZone: 'America/New_York' }, now)
    assert.deepEqual(
      periodsBetween(changed, now, Date.parse('2024-07-15T00:00:00Z')).map(({ start, end }) => [iso(start), iso(end)]),
      [
        ['2024-05-01T00:00:00.000Z', '2024-06-01T00:00:00.000Z'],
        ['2024-06-01T00:00:00.000Z', '2024-07-01T04:00:00.000Z'],
        ['2024-07-01T04:00:00.000Z', '2024-08-01T04:00:00.000Z'],
      ],
    )
    assert.deepEqual(
      changedCalendar(changed, { timeZone: 'UTC' }, now + 1),
      calendarOf('UTC', 1),
      'a pending change can be undone',
    )
    const both = changedCalendar(changed, { anchorDay: 9 }, now + 1)
    assert.deepEqual([both.length, both[1]?.timeZone, both[1]?.anchorDay], [2, 'America/New_York', 9])
  })

  test('have no gaps and consist of whole days after any number of changes, and no change moves a period that has started', () => {
    const change = fc.record({
      afterMs: fc.integer({ min: 0, max: 70 * DAY_MS }),
      timeZone: fc.constantFrom(...ZONES),
      anchorDay: fc.integer({ min: 1, max: 31 }),
    })
    fc.assert(
      fc.property(fc.array(change, { maxLength: 6 }), (changes) => {
        let now = Date.parse('2019-10-01T00:00:00Z')
        let calendar = calendarOf('UTC', 1)
        for (const { afterMs, timeZone, anchorDay } of changes) {
          now += afterMs
          const before = periodAt(calendar, now)
          const changed = changedCalendar(calendar, { timeZone, anchorDay }, now)
          assert.deepEqual(periodAt(changed, now), before)
          assert.deepEqual(periodAt(changed, before.start - 1), periodAt(calendar, before.start - 1))
          const soon = now + CHANGE_LEAD_MS - 1
          assert.equal(periodAt(changed, soon).start, periodAt(calendar, soon).start)
          assert.equal(dayAt(changed, soon).start, dayAt(calendar, soon).start)
          calendar = changed
        }
        const from = Date.parse('2019-09-01T00:00:00Z')
        const to = now + 70 * DAY_MS
        const periods = periodsBetween(calendar, from, to)
        const dayStarts = new Set(daysBetween(calendar, from, to).map(({ start }) => start))
        for (const [index, period] of periods.entries()) {
          const next = periods[index + 1]
          assert.ok(period.end - period.start >= 2 * DAY_MS - 1 && period.end - period.start <= 66 * DAY_MS)
          assert.deepEqual(periodNamed(calendar, nameOfPeriod(calendar, period)), period)
          if (next === undefined) continue
          assert.equal(period.end, next.start)
          assert.ok(dayStarts.has(next.start))
          assert.deepEqual(periodAfter(calendar, period), next)
          assert.deepEqual(periodBefore(calendar, next), period)
        }
      }),
      { numRuns: 150 },
    )
  })
})

test('only names in the IANA database are time zones', () => {
  for (const name of ['UTC', 'Europe/London', 'Etc/GMT+5', 'America/Argentina/Buenos_Aires'])
    assert.ok(isTimeZone(name), name)
  for (const name of ['', '+02:00', 'Europe/Nowhere', 'UTC\n', '2024-01-01T00:00[UTC]'])
    assert.ok(!isTimeZone(name), name)
})
