import assert from 'node:assert/strict'
import { test } from 'node:test'
import { barBefore, isRunning, rangeBefore, spanBefore } from './comparison.ts'

const at = (text: string): number => Date.parse(text)
const spanOf = (from: string, to: string, now: string, timeZone = 'UTC') => ({
  from: at(from),
  to: at(to),
  timeZone,
  isListing: false,
  session: { time: now },
})
const periods = ['2024-03', '2024-02', '2024-01'].map((month, index, months) => ({
  start: `${month}-01T00:00:00Z`,
  end: `${index === 0 ? '2024-04' : months[index - 1]}-01T00:00:00Z`,
}))
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
  assert.deepEqual(barBefore(day, 'day', span), { from: '2024-03-07T00:00:00.000Z', to: '2024-03-08T00:00:00.000Z' })
  const today = { from: day.to, to: at('2024-03-16T00:00:00Z') }
  assert.equal(barBefore(today, 'day', span)?.to, '2024-03-08T12:30:00.000Z')
  const hour = { from: day.from, to: day.from + 3_600_000 }
  assert.deepEqual(barBefore(hour, 'hour', span), { from: '2024-03-13T00:00:00.000Z', to: '2024-03-13T01:00:00.000Z' })
  assert.equal(barBefore(day, 'week', span), undefined)
})
