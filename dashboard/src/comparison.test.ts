import assert from 'node:assert/strict'
import { test } from 'node:test'
import { barBefore, barUpToSamePoint, isRunning, spanBefore, spanCompared, upToSamePoint } from './comparison.ts'

const at = (text: string): number => Date.parse(text)
const spanOf = (from: string, to: string, now: string, timeZone = 'UTC') => ({
  from: at(from),
  to: at(to),
  timeZone,
  isListing: false,
  session: { time: now },
})
const periods = ['2024-03', '2024-02', '2024-01'].map((month, index, months) => ({
  name: month,
  start: `${month}-01T00:00:00Z`,
  end: `${index === 0 ? '2024-04' : months[index - 1]}-01T00:00:00Z`,
}))
type Range = { readonly from: string; readonly to: string } | undefined
const rangeBefore = (range: Range, span: ReturnType<typeof spanOf>, of: typeof periods) =>
  upToSamePoint(range, span, spanBefore(range, span, of))
const march = (now: string) => spanOf('2024-03-01T00:00:00Z', '2024-04-01T00:00:00Z', now)

test('compares an ended period with the whole previous one, a running period up to the same point', () => {
  assert.deepEqual(rangeBefore(undefined, march('2024-05-01T00:00:00Z'), periods), {
    from: '2024-02-01T00:00:00Z',
    to: '2024-03-01T00:00:00Z',
  })
  assert.deepEqual(rangeBefore(undefined, march('2024-03-02T03:04:05.678Z'), periods), {
    from: '2024-02-01T00:00:00Z',
    to: '2024-02-02T03:04:00.000Z',
  })
  // February has no 31st.
  assert.equal(rangeBefore(undefined, march('2024-03-31T12:00:00Z'), periods)?.to, '2024-03-01T00:00:00.000Z')
})

test('compares nothing for the first period, one in its first minute, one not in the list, and a listing', () => {
  const first = spanOf('2024-01-01T00:00:00Z', '2024-02-01T00:00:00Z', '2024-05-01T00:00:00Z')
  for (const span of [
    first,
    march('2024-03-01T00:00:59Z'),
    { ...first, from: at('2023-12-01T00:00:00Z') },
    { ...march('2024-05-01T00:00:00Z'), isListing: true },
  ]) {
    assert.equal(rangeBefore(undefined, span, periods), undefined)
  }
})

test('compares a range with as many calendar days before it, even across a clock change', () => {
  const week = { from: '2024-04-01', to: '2024-04-07' }
  const over = spanOf('2024-03-31T22:00:00Z', '2024-04-07T22:00:00Z', '2024-06-01T00:00:00Z', 'Europe/Berlin')
  assert.deepEqual(rangeBefore(week, over, []), { from: '2024-03-25', to: '2024-04-01' })
  // 00:30 on the first day maps to 00:30 seven days earlier, before the clocks went forward.
  const begun = { ...over, session: { time: '2024-03-31T22:30:00Z' } }
  assert.deepEqual(rangeBefore(week, begun, []), { from: '2024-03-25', to: '2024-03-24T23:30:00.000Z' })
})

test('a period runs only after its start and before its end', () => {
  const [start, end] = ['2024-03-01T00:00:00Z', '2024-04-01T00:00:00Z']
  assert.deepEqual(
    [start, '2024-03-01T00:00:00.001Z', '2024-03-31T23:59:59.999Z', end].map((now) => isRunning(march(now))),
    [false, true, true, false],
  )
})

test('shows the whole of an earlier period beside one that is running', () => {
  assert.deepEqual(spanBefore(undefined, march('2024-03-02T03:04:05Z'), periods), {
    from: '2024-02-01T00:00:00Z',
    to: '2024-03-01T00:00:00Z',
  })
  const days = { from: '2024-03-04', to: '2024-03-05' }
  assert.deepEqual(spanBefore(days, march('2024-03-04T12:00:00Z'), []), { from: '2024-03-02', to: '2024-03-04' })
  assert.equal(spanBefore(days, { ...march('2024-03-04T12:00:00Z'), isListing: true }, []), undefined)
})

test('compares a day with the same weekday a week before, an hour with that of the day before, and no week', () => {
  const span = march('2024-03-15T12:30:00Z')
  const day = { from: at('2024-03-14T00:00:00Z'), to: at('2024-03-15T00:00:00Z') }
  const before = (bar: { readonly from: number; readonly to: number }, bucket: 'hour' | 'day' | 'week') =>
    barUpToSamePoint(bar, barBefore(bar, bucket, span), span)
  assert.deepEqual(before(day, 'day'), { from: '2024-03-07T00:00:00.000Z', to: '2024-03-08T00:00:00.000Z' })
  const today = { from: day.to, to: at('2024-03-16T00:00:00Z') }
  assert.equal(before(today, 'day')?.to, '2024-03-08T12:30:00.000Z')
  const hour = { from: day.from, to: day.from + 3_600_000 }
  assert.deepEqual(before(hour, 'hour'), { from: '2024-03-13T00:00:00.000Z', to: '2024-03-13T01:00:00.000Z' })
  assert.equal(before(day, 'week'), undefined)
})

const years = ['2025-02', '2024-03', '2024-02'].map((month) => ({
  name: month,
  start: `${month}-01T00:00:00Z`,
  end: `${month.slice(0, 6)}${Number(month.slice(6)) + 1}-01T00:00:00Z`,
}))
const february = spanOf('2025-02-01T00:00:00Z', '2025-03-01T00:00:00Z', '2025-02-10T12:00:00Z')

test('compares with the same period a year before, with any other that is named, or with nothing', () => {
  const of = (compare: string | undefined) => spanCompared(compare, undefined, february, years)
  assert.deepEqual(of('year'), { from: '2024-02-01T00:00:00Z', to: '2024-03-01T00:00:00Z' })
  assert.deepEqual(of('2024-03'), { from: '2024-03-01T00:00:00Z', to: '2024-04-01T00:00:00Z' })
  assert.deepEqual(of(undefined), { from: '2024-03-01T00:00:00Z', to: '2024-04-01T00:00:00Z' })
  assert.equal(of('none'), undefined)
  assert.equal(of('2025-02'), undefined, 'it is the period itself')
  assert.equal(of('2019-01'), undefined, 'there is no such period')
  assert.equal(spanCompared('year', undefined, march('2024-05-01T00:00:00Z'), years), undefined)
  assert.equal(spanCompared('2024-03', undefined, { ...february, isListing: true }, years), undefined)
})

test('compares a running period with the other one up to the same point', () => {
  assert.deepEqual(upToSamePoint(undefined, february, spanCompared('year', undefined, february, years)), {
    from: '2024-02-01T00:00:00Z',
    to: '2024-02-10T12:00:00.000Z',
  })
})

test('compares a range with the same days a year before, where a leap day is one more or one less', () => {
  const of = (from: string, to: string) => spanCompared('year', { from, to }, february, [])
  assert.deepEqual(of('2025-02-03', '2025-02-05'), { from: '2024-02-03', to: '2024-02-06' })
  assert.deepEqual(of('2024-02-29', '2024-02-29'), { from: '2023-02-28', to: '2023-03-01' })
  assert.deepEqual(of('2025-02-28', '2025-03-01'), { from: '2024-02-28', to: '2024-03-02' })
  // On the last of the days, with a leap day among them, there are no more a year before.
  const range = { from: '2024-02-28', to: '2024-03-01' }
  const running = spanOf('2024-02-28T00:00:00Z', '2024-03-02T00:00:00Z', '2024-03-01T12:00:00Z')
  const other = spanCompared('year', range, running, [])
  assert.deepEqual(upToSamePoint(range, running, other), { from: '2023-02-28', to: '2023-03-02' })
})

test('compares a running bar with the other one up to the same point of it', () => {
  const [today, other] = ['2025-02-10', '2024-02-10'].map((day) => ({
    from: at(`${day}T00:00:00Z`),
    to: at(`${day}T23:00:00Z`),
  }))
  assert.ok(today !== undefined)
  assert.equal(barUpToSamePoint(today, other, february)?.to, '2024-02-10T12:00:00.000Z')
  assert.equal(barUpToSamePoint(today, undefined, february), undefined)
})
