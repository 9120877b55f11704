/** What every store must do to find the charges of at least so many credits. A part of `ledger-contract.ts`. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Ledger } from '../src/ledger/ledger.ts'
import type { Dimension } from '../src/model/cell.ts'
import { type ChargeFilter, createChargeTest } from '../src/model/charge-filter.ts'
import { credits } from '../src/model/credits.ts'
import type { LineOrder, PagePosition } from '../src/model/line-order.ts'
import { CALENDAR_BEGINS } from '../src/model/organization.ts'
import type { RecordedLine } from '../src/model/usage-record.ts'
import { sumsByKey, totalKey } from './ledger-model.ts'
import type { OpenLedger } from './opened-ledger.ts'
import { batchOf, DAY_MS, recordOf, START, unpricedOf } from './priced.ts'

const ALL = { from: CALENDAR_BEGINS, to: -CALENDAR_BEGINS }
const NEXT_PERIOD = START + 31 * DAY_MS

const FILTERS: readonly ChargeFilter[] = [
  { minCredits: credits(0) },
  { minCredits: credits(1) },
  { minCredits: credits(3_000_001) },
  { minCredits: credits(3_000_000), member: 'ada' },
  { minCredits: credits(2_000_000), model: 'b', outcome: 'succeeded' },
  { minCredits: credits(2 ** 52) },
]

const GROUPS: readonly (readonly Dimension[])[] = [[], ['member'], ['model', 'report'], ['rate_card', 'outcome']]

const ORDERS: readonly LineOrder[] = (['time', 'id', 'credits'] as const).flatMap((by) =>
  [false, true].map((isDescending) => ({ by, isDescending })),
)

/** Amounts on both sides of each limit, without a price, and below 0, in two periods. The model `c` counts to `(other)`. */
const fill = async (ledger: Ledger): Promise<void> => {
  const known = [START, NEXT_PERIOD].flatMap((at) =>
    ['a', 'b'].map((model) => recordOf(`${at} ${model}`, { at, model })),
  )
  await ledger.append(batchOf(known))
  const records = Array.from({ length: 600 }, (_, id) =>
    (id % 7 === 0 ? unpricedOf : recordOf)(id, {
      at: START + ((id * 7919) % 60) * DAY_MS + (id % 24) * 3_600_000,
      micros: [0, 1, 2_000_000, 3_000_000, 3_000_001][id % 5] ?? 0,
      ...(id % 3 === 0 && { member: 'ada' }),
      ...(id % 4 > 0 && { model: ['a', 'b', 'c'][id % 4] ?? '' }),
      ...(id % 11 === 0 && { outcome: 'failed' as const }),
      ...(id % 13 === 0 && { reportId: id % 2, reportName: `R${id % 3}` }),
    }),
  )
  await ledger.append(batchOf(records))
  await ledger.decide('default', { kind: 'close', until: NEXT_PERIOD })
  const cheaper = records.slice(0, 40).map((record) => ({ ...record, digest: new Uint8Array(16).fill(9) }))
  const amended = cheaper.map((record) => (record.credits === undefined ? record : { ...record, credits: credits(5) }))
  await ledger.append(batchOf(amended, { onChange: 'amend' }))
}

const pagesOf = async (ledger: Ledger, filter: ChargeFilter, order: LineOrder, range = ALL) => {
  const found: RecordedLine[] = []
  for (let after: PagePosition | undefined; ; after = found.at(-1)) {
    const query = { ...range, ...filter, order, limit: 37, ...(after && { after }) }
    const page = await ledger.read('default', (view) => view.page(query))
    found.push(...page)
    if (page.length < 37) return found
  }
}

export const amountsContract = (open: OpenLedger): void => {
  test('lines and totals of charges of at least so many credits are those of all lines that cost as much', async () => {
    await using opened = await open({ namesMax: 2 })
    const { ledger } = opened
    await fill(ledger)
    const cut = { from: START + 5 * DAY_MS + 3_600_000, to: NEXT_PERIOD + 2 * DAY_MS + 1 }
    for (const order of ORDERS) {
      const all = await pagesOf(ledger, {}, order)
      assert.ok(all.some(({ credits: amount = 0 }) => amount < 0))
      for (const filter of FILTERS) {
        const wanted = all.filter(createChargeTest(filter))
        assert.deepEqual(await pagesOf(ledger, filter, order), wanted)
        const within = wanted.filter(({ at }) => at >= cut.from && at < cut.to)
        assert.deepEqual(await pagesOf(ledger, filter, order, cut), within)
        assert.deepEqual(
          await ledger.read('default', (view) => view.page({ ...ALL, ...filter, order, unpriced: true, limit: 10 })),
          [],
        )
      }
    }
    const counted = await ledger.read('default', (view) => view.page({ ...ALL, limit: 10_000 }))
    for (const filter of FILTERS) {
      for (const group of GROUPS) {
        const ranges = [ALL, cut]
        const totals = await ledger.read('default', (view) => view.rangeTotals({ ranges, ...filter, group }))
        const own = counted.filter(createChargeTest(filter))
        const key = (range: number, cell: RecordedLine['cell']): string =>
          totalKey(
            range,
            group,
            cell.model === 'c' && filter.model === undefined ? { ...cell, model: '(other)' } : cell,
          )
        assert.deepEqual(
          totals
            .map(
              (total) => `${totalKey(total.range, group, total)} ${total.messages} ${total.unpriced} ${total.credits}`,
            )
            .sort(),
          ranges
            .flatMap(({ from, to }, range) =>
              sumsByKey(
                own.filter(({ at }) => at >= from && at < to),
                ({ cell }) => key(range, cell),
              ),
            )
            .sort(),
        )
      }
    }
  })
}
