import assert from 'node:assert/strict'
import { test } from 'node:test'
import { KeptCells, type KeptCharges, KeptChargesBuilder } from '#ledger/kept-charges.ts'
import type { Ledger, LedgerView } from '#ledger/ledger.ts'
import { CALENDAR_BEGINS, type Organization } from '#model/organization.ts'
import { readAtOneMoment } from './one-moment.ts'

const DAY_MS = 86_400_000
const organization: Organization = {
  id: 'acme',
  name: 'Acme',
  createdAt: 0,
  calendar: [{ effectiveFrom: CALENDAR_BEGINS, timeZone: 'UTC', anchorDay: 1 }],
}
const RANGE = { from: 0, to: 4 * DAY_MS }

/** A ledger of days that have versions, and so many messages that each is a stretch. `beforeRead` is told how many reads there were. */
const createLedger = (beforeRead: (reads: number, add: (id: number, day: number) => void) => void) => {
  const days = new Map<number, { readonly ids: Set<number>; version: number }>()
  let reads = 0
  const add = (id: number, day: number): void => {
    for (const each of days.values()) if (each.ids.delete(id)) each.version++
    const own = days.get(day) ?? { ids: new Set(), version: 0 }
    days.set(day, own)
    own.ids.add(id)
    own.version++
  }
  for (const day of [0, 1, 2, 3]) for (let id = 1; id <= 5; id++) add(day * 10 + id, day)
  const within = (from: number, to: number) =>
    [...days].filter(([day]) => day * DAY_MS >= from && day * DAY_MS < to).sort(([one], [other]) => one - other)
  const view = {
    dayTotals: async ({ from, to }) =>
      within(from, to).map(([day]) => ({
        dayStart: day * DAY_MS,
        messages: 100_000,
        unpriced: 0,
        credits: 0n as never,
      })),
    version: async ({ from, to }) => within(from, to).reduce((sum, [, { version }]) => sum + version, 0),
    closedUntil: async () => CALENDAR_BEGINS,
    keptCharges: async ({ from, to, limit, after }) => {
      assert.equal(after, undefined)
      const cells = new KeptCells<string>()
      const kept = new KeptChargesBuilder(limit)
      const cell = cells.indexOf('card')
      const [replaced, timestamp, adjusts] = [undefined, undefined, undefined]
      const [facts, digest] = [new Uint8Array(), new Uint8Array(16)]
      for (const [day, { ids }] of within(from, to)) {
        for (const messageId of [...ids].sort((one, other) => one - other)) {
          const at = day * DAY_MS
          const row = { messageId, at, dayStart: at, timestamp, adjusts, revision: 0, credits: 1, cell, replaced }
          kept.add({ ...row, facts, digest })
        }
      }
      return kept.build([{ rateCard: 'card' }])
    },
  } satisfies Partial<LedgerView>
  const ledger: Pick<Ledger, 'read'> = {
    read: (_, reading) => {
      beforeRead(++reads, add)
      return reading(view as unknown as LedgerView)
    },
  }
  const present = () =>
    within(RANGE.from, RANGE.to).flatMap(([, { ids }]) => [...ids].sort((one, other) => one - other))
  return { ledger, present, reads: () => reads }
}

const createReader = () => {
  const ids: unknown[] = []
  return { ids, take: ({ messageIds }: KeptCharges) => void ids.push(...messageIds) }
}

test('a range is read in stretches of days, each charge once', async () => {
  const { ledger, present, reads } = createLedger(() => {})
  const shown: (readonly number[])[] = []
  const progress = (...each: readonly number[]) => shown.push(each)
  const { result } = await readAtOneMoment(ledger, organization, RANGE, createReader, { progress })
  assert.deepEqual(result.ids, present())
  assert.equal(reads(), 1 + 4)
  assert.deepEqual(
    shown,
    [5, 10, 15, 20].map((done) => [done, 400_000]),
  )
})

test('if a day that was read already changes, everything is read again as of one moment', async () => {
  // A message moves from a day that is still to come to one that was read.
  const { ledger, present, reads } = createLedger((read, add) => {
    if (read === 4) add(31, 0)
  })
  const { result } = await readAtOneMoment(ledger, organization, RANGE, createReader)
  assert.deepEqual(result.ids, present())
  assert.equal(reads(), 2 * (1 + 4))
})

test('if days change all the time, one read sees all of them', async () => {
  let moment: readonly number[] = []
  const { ledger, present, reads } = createLedger((read, add) => {
    add(100 + read, read % 4)
    moment = present()
  })
  const { result } = await readAtOneMoment(ledger, organization, RANGE, createReader)
  assert.deepEqual(result.ids, moment)
  assert.equal(reads(), 2 * (1 + 4) + 2)
})
