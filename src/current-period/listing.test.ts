import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import fc from 'fast-check'
import { createDayFinder } from '#calendar/days.ts'
import type { LedgerView, PageQuery } from '#ledger/ledger.ts'
import { PricedBatchBuilder } from '#ledger/priced-batch.ts'
import { type CellFilter, DIMENSIONS, type Dimension } from '#model/cell.ts'
import { credits } from '#model/credits.ts'
import { compareIds, type PagePosition } from '#model/line-order.ts'
import { type BillingCalendar, CALENDAR_BEGINS } from '#model/organization.ts'
import { canonicalReportId, type Id } from '#model/report.ts'
import { canonicalTimestamp } from '#model/timestamp.ts'
import type { Priced } from '#model/usage-record.ts'
import { createSqliteLedger } from '#store/sqlite/ledger.ts'
import { createListing, listingView } from './listing.ts'

const CALENDAR: BillingCalendar = [{ effectiveFrom: CALENDAR_BEGINS, timeZone: 'Europe/London', anchorDay: 1 }]
const START = Date.UTC(2024, 2, 30)
const HOUR_MS = 3_600_000

const idArbitrary: fc.Arbitrary<Id> = fc.oneof(
  fc.integer({ min: -5, max: 50 }),
  fc.constantFrom('a', 'b', '1', '\uffee', '😀', 'é', ' '),
)

/** Within a few days around a daylight-saving change, with some reports and members. */
const chargeArbitrary: fc.Arbitrary<Priced> = fc
  .record({
    messageId: idArbitrary,
    hours: fc.integer({ min: 0, max: 100 }),
    report: fc.option(fc.constantFrom('5392', 'x', '007', '\uffee', '😀'), { nil: undefined }),
    member: fc.option(fc.constantFrom('ada', 'bob', '😀', '\uffee'), { nil: undefined }),
    team: fc.option(fc.constantFrom('legal', 'ada'), { nil: undefined }),
    model: fc.option(fc.constantFrom('small', '😀'), { nil: undefined }),
    feature: fc.option(fc.constantFrom('true', 'small'), { nil: undefined }),
    outcome: fc.option(fc.constantFrom('failed' as const, 'utility' as const), { nil: undefined }),
    micros: fc.integer({ min: 0, max: 2 ** 40 }),
  })
  .map(({ messageId, hours, report, member, team, model, feature, outcome, micros }) => ({
    messageId,
    at: START + hours * HOUR_MS,
    timestamp: canonicalTimestamp(START + hours * HOUR_MS),
    cell: {
      ...(member !== undefined && { member }),
      ...(report !== undefined && { reportId: canonicalReportId(report), reportName: `Report ${hours % 3} ${report}` }),
      ...(team !== undefined && { team }),
      ...(model !== undefined && { model }),
      ...(feature !== undefined && { feature }),
      ...(outcome !== undefined && { outcome }),
      rateCard: 'standard-2024',
    },
    credits: credits(micros),
    facts: Uint8Array.of(0, 1, 0),
    digest: new Uint8Array(16),
  }))

const GROUPS: readonly (readonly Dimension[])[] = [
  [],
  ...DIMENSIONS.map((dimension) => [dimension]),
  ['report', 'member'],
  ['outcome', 'model', 'team'],
]

const FILTERS: readonly CellFilter[] = [
  { member: 'ada' },
  { reportId: 5392, member: '😀' },
  { team: 'legal', model: 'small' },
  { outcome: 'succeeded', feature: 'true' },
  { outcome: 'failed' },
]

/** Every query of a view, with its result as text. */
const answersOf = async (view: LedgerView, ids: readonly Id[]): Promise<readonly unknown[]> => {
  const plain = (value: unknown): unknown =>
    JSON.parse(JSON.stringify(value, (_, each: unknown) => (typeof each === 'bigint' ? `${each}` : each)))
  const answers: unknown[] = []
  const whole = { from: START - 100 * HOUR_MS, to: START + 200 * HOUR_MS }
  const part = { from: START + 10 * HOUR_MS, to: START + 60 * HOUR_MS }
  for (const range of [whole, part]) {
    answers.push(await pagesOf(view, { ...range, limit: 7 }))
    for (const filter of FILTERS) answers.push(await view.page({ ...range, limit: 100, ...filter }))
    for (const by of ['time', 'credits', 'id', 'member', 'report'] as const) {
      for (const isDescending of [false, true]) {
        answers.push(await pagesOf(view, { ...range, limit: 9, order: { by, isDescending } }))
      }
    }
  }
  for (const group of GROUPS) {
    answers.push(plain(await view.dayTotals({ ...whole, group })))
    for (const range of [whole, part]) answers.push(plain(await view.totals({ ...range, group })))
    answers.push(plain(await view.rangeTotals({ ranges: [part, whole], group })))
  }
  for (const filter of FILTERS) {
    for (const group of [[], ['report', 'team']] as const) {
      answers.push(plain(await view.dayTotals({ ...whole, ...filter, group })))
      answers.push(plain(await view.totals({ ...part, ...filter, group })))
      answers.push(plain(await view.rangeTotals({ ranges: [part, whole], ...filter, group })))
    }
  }
  for (const filter of [{}, ...FILTERS]) {
    const least = { ...filter, minCredits: credits(2 ** 39) }
    for (const range of [whole, part]) answers.push(await pagesOf(view, { ...range, limit: 3, ...least }))
    answers.push(plain(await view.rangeTotals({ ranges: [part, whole], ...least, group: ['report', 'team'] })))
  }
  for (const id of ids) answers.push((await view.charges(id)).map(({ recordedAt: _, ...charge }) => charge.credits))
  answers.push(await view.span(), await view.closedUntil())
  return answers
}

const pagesOf = async (view: LedgerView, query: PageQuery): Promise<readonly unknown[]> => {
  const lines: unknown[] = []
  let after: PagePosition | undefined
  for (;;) {
    const page = await view.page({ ...query, ...(after && { after }) })
    lines.push(...page.map(({ messageId, at, credits: amount }) => [messageId, at, amount]))
    after = page.at(-1)
    if (page.length < query.limit) return lines
  }
}

test('a listing answers every query exactly as the ledger into which it was recorded', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'copilot-credits-test-'))
  const ledger = await createSqliteLedger({ path: join(folder, 'ledger.db') })
  let organizations = 0
  try {
    await fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(chargeArbitrary, { selector: ({ messageId }) => messageId, maxLength: 40 }),
        async (charges) => {
          const organizationId = `org-${++organizations}`
          const organization = { id: organizationId, name: 'Any', createdAt: 0, calendar: CALENDAR }
          await ledger.decide(organizationId, { kind: 'create-organization', organization })
          const dayOf = createDayFinder(CALENDAR)
          const batch = new PricedBatchBuilder(charges.length)
          for (const charge of charges) batch.add(charge, dayOf(charge.at))
          await ledger.append({ organizationId, priced: batch.build(), onChange: 'amend', recordedAt: START })
          const listing = createListing(new Map(charges.map((charge) => [charge.messageId, charge])))
          const ids = [...charges.map(({ messageId }) => messageId), 'none']
          const recorded = await ledger.read(organizationId, (view) => answersOf(view, ids))
          const listed = await answersOf(listingView(listing, CALENDAR), ids)
          assert.deepEqual(listed.map(linesOnly), recorded.map(linesOnly))
        },
      ),
      { numRuns: 60 },
    )
  } finally {
    await ledger.close()
    rmSync(folder, { recursive: true })
  }
})

/** Only the fields of a charge that both the listing and the ledger show. */
const linesOnly = (answer: unknown): unknown =>
  Array.isArray(answer)
    ? answer.map((each: unknown) => {
        if (typeof each !== 'object' || each === null || Array.isArray(each)) return each
        const { facts: _, digest: __, ...line } = each as Record<string, unknown>
        return line
      })
    : answer

test('ids are ordered as in the stores: integers first, then strings by code point', () => {
  const ids: readonly Id[] = [-5, 0, 12, ' ', '12', 'a', 'é', '\uffee', '😀']
  assert.deepEqual(ids.toReversed().sort(compareIds), ids)
})
