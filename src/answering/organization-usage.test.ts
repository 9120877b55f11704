import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { OrganizationRange, OrganizationStore } from '#ledger/ledger.ts'
import { creditsSum } from '#model/credits.ts'
import { CALENDAR_BEGINS, type Organization } from '#model/organization.ts'
import { createUsageOfOrganizations } from './organization-usage.ts'

const organizationOf = (id: string, timeZone: string, anchorDay: number): Organization => ({
  id,
  name: id,
  createdAt: 0,
  calendar: [{ effectiveFrom: CALENDAR_BEGINS, timeZone, anchorDay }],
})

/** A message of one credit on each day of 2024. */
const createStore = (timeZone: string) => {
  const asked: OrganizationRange[][] = []
  const starts = Array.from({ length: 366 }, (_, index) =>
    Temporal.PlainDate.from('2024-01-01').add({ days: index }).toZonedDateTime(timeZone),
  ).map(({ epochMilliseconds }) => epochMilliseconds)
  const days: OrganizationStore['days'] = async (ranges) => {
    asked.push([...ranges])
    return ranges.map(({ from, to }) =>
      starts
        .filter((start) => start >= from && start < to)
        .map((dayStart) => ({ dayStart, messages: 1, unpriced: 0, credits: creditsSum(1_000_000n) })),
    )
  }
  const activity: OrganizationStore['activity'] = async (ids) =>
    ids.map((id) => (id === 'o0' ? { keys: 0 } : { keys: Number(id.slice(1)), latestAt: Number(id.slice(1)) }))
  const organizations: OrganizationStore = { find: async () => undefined, list: async () => [], days, activity }
  return { usageOf: createUsageOfOrganizations({ ledger: { organizations } }), asked }
}

for (const [what, timeZone, anchorDay, now, current, previous, toDate] of [
  ['the tenth day of a month', 'UTC', 1, '2024-05-10T15:00:00Z', 31, 30, 10],
  ['the first instant of a period', 'UTC', 1, '2024-05-01T00:00:00Z', 31, 30, 1],
  ['a day that the period before does not have', 'UTC', 1, '2024-03-31T12:00:00Z', 31, 29, 29],
  ['a period of the local calendar', 'Asia/Tokyo', 15, '2024-05-14T15:30:00Z', 31, 30, 1],
  ['a change of the clock in this period', 'America/New_York', 1, '2024-03-20T03:30:00Z', 31, 29, 19],
  ['a change of the clock in the period before', 'Europe/London', 1, '2024-04-20T23:30:00Z', 30, 31, 21],
] as const) {
  test(`usage is compared up to the same day: ${what}`, async () => {
    const { usageOf } = createStore(timeZone)
    const [usage] = await usageOf([organizationOf('acme', timeZone, anchorDay)], Date.parse(now))
    assert.deepEqual(
      [usage?.current.messages, usage?.previous.messages, usage?.previous.toDate.messages],
      [current, previous, toDate],
    )
    assert.equal(usage?.previous.toDate.credits, BigInt(toDate) * 1_000_000n)
    assert.equal(usage?.previous.end, usage?.current.start)
  })
}

test('many organizations are read a few at a time, and none is mistaken for another', async () => {
  const { usageOf, asked } = createStore('UTC')
  const organizations = Array.from({ length: 60 }, (_, index) => organizationOf(`o${index}`, 'UTC', 1 + (index % 28)))
  const usage = await usageOf(organizations, Date.parse('2024-05-10T15:00:00Z'))
  assert.deepEqual(
    asked.map(({ length }) => length),
    [25, 25, 10],
  )
  assert.deepEqual(
    asked.flat().map(({ organizationId }) => organizationId),
    organizations.map(({ id }) => id),
  )
  assert.deepEqual(
    usage.map(({ current }) => new Date(current.start).getUTCDate()),
    organizations.map(({ calendar }) => calendar[0].anchorDay),
  )
  assert.deepEqual(
    usage.map(({ keys, latestAt }) => [keys, latestAt]),
    organizations.map((_, index) => [index, index === 0 ? undefined : index]),
  )
})
