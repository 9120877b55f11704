import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createListing, listingView } from '#current-period/listing.ts'
import type { Ledger } from '#ledger/ledger.ts'
import type { Cell } from '#model/cell.ts'
import { credits } from '#model/credits.ts'
import { StoreBusy } from '#model/errors.ts'
import type { PagePosition } from '#model/line-order.ts'
import { CALENDAR_BEGINS, type Organization } from '#model/organization.ts'
import type { Priced, StoredCharge } from '#model/usage-record.ts'
import { measure } from '#rating/measure.ts'
import { packMeasurement } from '#rating/packed-measurement.ts'
import { chargeOfText, standardCard } from '#rating/standard-card.ts'
import { type CardOf, changesBetween } from './explaining.ts'
import { LongReadings } from './long-readings.ts'
import { createQueries } from './queries.ts'
import type { Versioned } from './versions.ts'

const BERLIN: Organization = {
  id: 'berlin',
  name: 'Berlin',
  createdAt: 0,
  calendar: [{ effectiveFrom: CALENDAR_BEGINS, timeZone: 'Europe/Berlin', anchorDay: 1 }],
}
const HOUR = 3_600_000
const MAY = Date.parse('2024-05-01T00:00:00+02:00')
const JUNE = Date.parse('2024-06-01T00:00:00+02:00')
const TEXT = 'What is the lease term?'
const measurement = measure(TEXT)
const CELL: Cell = { rateCard: standardCard.version }
const SEVEN: Cell = { ...CELL, reportId: 7, reportName: 'Seven' }

const chargeOf = (messageId: number, at: number, more: Partial<Priced> = {}): Priced => ({
  messageId,
  at,
  timestamp: new Date(at).toISOString(),
  credits: chargeOfText(measurement).credits,
  cell: CELL,
  facts: packMeasurement(measurement),
  digest: new Uint8Array(16),
  ...more,
})

const startQueries = (charges: readonly Priced[], longReadings = new LongReadings(8, () => {})) => {
  const view = listingView(createListing(new Map(charges.map((each) => [each.messageId, each]))), BERLIN.calendar)
  const ledger: Pick<Ledger, 'read'> = { read: (_, reading) => reading(view) }
  const cardOf: CardOf = async (version) => (version === standardCard.version ? standardCard : undefined)
  const cardsOf = async () => ({ own: [], byDefault: [] })
  return createQueries({ ledger, cardOf, cardsOf, longReadings })
}

/** The answer to a query whose caller knows no version. */
const given = async <T>(versioned: Promise<Versioned<T>>): Promise<T> => {
  const { answer } = await versioned
  assert.ok(answer !== undefined)
  return answer
}

/** A message every five hours in May and June, one in three of a member and one in four with a report. */
const charges = Array.from({ length: 290 }, (_, id) =>
  chargeOf(id, MAY + id * 5 * HOUR, {
    cell: { ...(id % 4 === 0 ? SEVEN : CELL), ...(id % 3 === 0 && { member: 'ada' }) },
    ...(id % 4 === 0 && { credits: credits(79_000_000) }),
  }),
)
const total = charges.reduce((sum, each) => sum + BigInt(each.credits ?? 0), 0n)

test('pages have every line once, and only the last one says that no more follow', async () => {
  const { page } = startQueries(charges)
  for (const limit of [1, 97, 145, 290, 1000]) {
    const found: unknown[] = []
    let after: PagePosition | undefined
    for (;;) {
      const { lines, hasMore } = await given(
        page(BERLIN, { from: MAY, to: MAY + 2000 * HOUR, limit, ...(after && { after }) }),
      )
      found.push(...lines.map(({ messageId }) => messageId))
      after = lines.at(-1)
      if (!hasMore) break
    }
    assert.deepEqual(
      found,
      charges.map(({ messageId }) => messageId),
    )
  }
})

test('buckets of every width and time zone add up to the same total, and so do their groups', async () => {
  const { totals } = startQueries(charges)
  const range = { from: MAY, to: MAY + 1500 * HOUR, limit: 10_000 }
  for (const width of ['hour', 'day', 'month'] as const) {
    for (const timeZone of ['Europe/Berlin', 'UTC', 'Asia/Kolkata']) {
      for (const group of [[], ['report'], ['member', 'report']] as const) {
        const { buckets } = await given(totals(BERLIN, { ...range, width, timeZone, group }))
        const sumOf = (all: readonly { readonly credits: bigint }[]) =>
          all.reduce((sum, each) => sum + each.credits, 0n)
        const what = `${width} ${timeZone} ${group.join()}`
        assert.equal(sumOf(buckets), total, what)
        if (group.length > 0) assert.equal(sumOf(buckets.flatMap(({ groups }) => groups)), total, what)
      }
    }
  }
})

test('buckets that are asked for page by page are those of one long page', async () => {
  const { totals } = startQueries(charges)
  const query = { from: MAY, to: JUNE, width: 'day', timeZone: 'UTC', group: [] } as const
  const whole = await given(totals(BERLIN, { ...query, limit: 1000 }))
  const first = await given(totals(BERLIN, { ...query, limit: 10 }))
  assert.ok(first.next !== undefined)
  const rest = await given(totals(BERLIN, { ...query, start: first.next, limit: 1000 }))
  assert.deepEqual([...first.buckets, ...rest.buckets], whole.buckets)
  assert.deepEqual([whole.next, rest.next], [undefined, undefined])
})

test('periods go from the latest back to that of the first message, also if some are empty', async () => {
  const { periods, period } = startQueries([chargeOf(1, MAY - 1), chargeOf(2, JUNE)])
  const time = Date.parse('2024-07-10T00:00:00Z')
  const all = await given(periods(BERLIN, { time, limit: 10 }))
  assert.deepEqual(
    all.periods.map(({ messages }) => messages),
    [0, 1, 0, 1],
  )
  assert.equal(all.hasMore, false)
  const [first, last] = [await given(periods(BERLIN, { time, limit: 3 })), all.periods[2]]
  assert.deepEqual([first.periods.length, first.hasMore], [3, true])
  const rest = await given(periods(BERLIN, { time, before: last?.start, limit: 3 }))
  assert.deepEqual([rest.periods, rest.hasMore], [all.periods.slice(3), false])
  assert.deepEqual((await given(period(BERLIN, { from: MAY - 1, to: JUNE }))).start, MAY - 1)
})

test('a charge is explained by lines that add up to what was charged, and one that does not add up is an error', async () => {
  const report = { cell: SEVEN, credits: credits(79_000_000) }
  const wrong = { credits: credits(1) }
  const unknown = { cell: { rateCard: 'unknown-2024' } }
  const queries = startQueries([
    chargeOf(1, MAY),
    chargeOf(2, MAY, report),
    chargeOf(3, MAY, wrong),
    chargeOf(4, MAY, unknown),
  ])
  for (const id of [1, 2]) {
    const [explained] = await queries.charges(BERLIN, id)
    assert.ok(explained)
    const { stored, pricing } = explained
    assert.ok(pricing.status === 'priced')
    assert.equal(
      pricing.lines.reduce((sum, line) => sum + line.credits, 0),
      stored.credits,
    )
    assert.deepEqual(explained.facts.measurement, measurement)
  }
  assert.deepEqual(await queries.charges(BERLIN, 99), [])
  await assert.rejects(queries.charges(BERLIN, 3), /add up/)
  await assert.rejects(queries.charges(BERLIN, 4), /unknown-2024/)
})

test('a filtered page of many messages is refused while as many long reads as allowed are in progress', async () => {
  const longReadings = new LongReadings(1, () => {})
  const many = Array.from({ length: 10_001 }, (_, id) => chargeOf(id, MAY + id))
  const { page } = startQueries(many, longReadings)
  const query = { from: MAY, to: JUNE, limit: 10 }
  const end = longReadings.begin()
  await assert.rejects(page(BERLIN, { ...query, member: 'ada' }), StoreBusy)
  assert.equal((await given(page(BERLIN, query))).lines.length, 10)
  end()
  assert.equal((await given(page(BERLIN, { ...query, member: 'ada' }))).lines.length, 0)
})

test('what changed between two charges is named, and content only if nothing else explains it', () => {
  const before: StoredCharge = { ...chargeOf(1, MAY), revision: 0, recordedAt: MAY }
  const otherText = { facts: packMeasurement(measure('Another text')), digest: new Uint8Array(16).fill(1) }
  const changes = (more: Partial<StoredCharge>) => changesBetween(before, { ...before, ...more })
  assert.deepEqual(changes({}), [])
  assert.deepEqual(changes(otherText), ['text'])
  assert.deepEqual(changes({ digest: otherText.digest }), ['content'])
  assert.deepEqual(changes({ cell: { ...CELL, member: 'ada' }, digest: otherText.digest }), ['user_id'])
  assert.deepEqual(changes({ cell: { rateCard: 'standard-2025' } }), ['rate_card'])
  const report = { cell: SEVEN, credits: credits(1) }
  assert.deepEqual(changes(report), ['report'])
  const dearer = { ...before, ...report, cell: { ...SEVEN, reportName: 'Eight' }, credits: credits(2) }
  assert.deepEqual(changesBetween({ ...before, ...report }, dearer), ['report_name', 'price'])
})
