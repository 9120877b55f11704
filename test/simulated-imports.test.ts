/** A simulation shows what the same messages cost if they are imported afresh under the other card. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import fc from 'fast-check'
import { openStoreParts } from '../src/compose/store.ts'
import { readConfig } from '../src/config.ts'
import type { Card } from '../src/model/card.ts'
import { type Dimension, groupKey } from '../src/model/cell.ts'
import { monotonicNow } from '../src/model/clock.ts'
import { credits } from '../src/model/credits.ts'
import { CALENDAR_BEGINS } from '../src/model/organization.ts'

const MAY = Date.parse('2024-05-01T00:00:00Z')
const RUNS = 60

const ignore = (): void => {}

const rate = fc.integer({ min: 0, max: 5_000_000 }).map((micros) => micros / 1_000_000)

const when = fc.constantFrom<object>(
  {},
  { when: { text: true } },
  { when: { model: '*' } },
  { when: { report: true } },
  { when: { licensed: true } },
  { when: { outcome: ['failed', 'cancelled'] } },
)

const line = fc.oneof(
  rate.map((each) => ({ rate: each })),
  fc.record({ of: fc.constantFrom('characters', 'report_credits', 'pages', 'input_tokens', 'total_tokens'), rate }),
  rate.map((each) => ({ of: 'output_tokens', per: 1000, rate: each, started: true })),
  fc.constant({ of: 'output_tokens', per: 1000, price: 'output' }),
)

const named = (lines: readonly object[]) => lines.map((each, index) => ({ rule: `line-${index}`, ...each }))

const card = fc
  .record({
    prices: fc.dictionary(
      fc.constantFrom('large', 'small'),
      rate.map((output) => [{ output }]),
      { noNullPrototype: true },
    ),
    cases: fc.array(fc.tuple(when, fc.array(line, { maxLength: 3 })), { minLength: 1, maxLength: 3 }),
    outcomes: fc.constantFrom<object>({}, { outcomes: { failed: 0, cancelled: 0.333333 } }),
  })
  .map(({ prices, cases, outcomes }) => {
    const lines = cases.map(([condition, each], index) => ({ name: `case-${index}`, ...condition, lines: named(each) }))
    const isUsed = JSON.stringify(lines).includes('"price"')
    return { prices: isUsed ? prices : {}, cases: lines, ...outcomes }
  })

const message = fc.record(
  {
    hours: fc.nat(30 * 24),
    text: fc.constantFrom('', 'Hello', 'Was it a car or a cat I saw?', 'x'.repeat(200)),
    report_id: fc.constantFrom(1, 2, 'none'),
    user_id: fc.constantFrom('ada', 'bob'),
    team_id: fc.constantFrom('legal', 'sales'),
    model: fc.constantFrom('large', 'small', 'unheard-of'),
    usage: fc.record({ input_tokens: fc.nat(5000), output_tokens: fc.nat(5000) }),
    quantities: fc.record({ pages: fc.constantFrom(0, 1, 2.5) }),
    attributes: fc.record({ licensed: fc.boolean() }),
    outcome: fc.constantFrom('failed', 'cancelled', 'utility'),
  },
  { requiredKeys: ['hours'] },
)

test('what a simulation shows after is what an import of the same messages costs under that card', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'copilot-credits-simulated-'))
  const config = readConfig({ DATABASE_URL: `sqlite:${join(folder, 'ledger.db')}` })
  const store = await openStoreParts({
    config,
    observeCall: ignore,
    observeIntake: ignore,
    observeUnpriced: ignore,
    observeStore: ignore,
    observeMigration: ignore,
    clock: () => MAY + 40 * 86_400_000,
    now: monotonicNow,
  })
  const { ledger, intake, organizations, rateCards, cardUses, reports, simulations } = store
  await reports.put({ id: 1, name: 'One', creditCost: credits(12_500_000) })
  await reports.put({ id: 2, name: 'Two', creditCost: credits(1) })
  let run = 0

  const importUnder = async (version: string, content: object, messages: readonly object[]): Promise<string> => {
    await rateCards.put({ version, ...content } as Card)
    await organizations.create({ id: version, name: version, timeZone: 'Europe/London', anchorDay: 1 })
    await cardUses.use(version, { version, from: CALENDAR_BEGINS })
    const organization = await organizations.find(version)
    assert.ok(organization !== undefined)
    await intake.take(organization, [...messages])
    return version
  }

  const organizationOf = async (id: string) => {
    const organization = await organizations.find(id)
    assert.ok(organization !== undefined)
    return organization
  }

  const totalsOf = async (id: string, group: readonly Dimension[]): Promise<ReadonlyMap<string, string>> => {
    const totals = await ledger.read(id, (view) => view.totals({ from: CALENDAR_BEGINS, to: -CALENDAR_BEGINS, group }))
    return new Map(
      totals.map((total) => [groupKey(total, group), `${total.messages} ${total.unpriced} ${total.credits}`]),
    )
  }

  try {
    await fc.assert(
      fc.asyncProperty(card, card, fc.array(message, { maxLength: 40 }), async (before, after, some) => {
        run++
        const messages = some.map(({ hours, ...rest }, id) => ({
          id,
          timestamp: new Date(MAY + hours * 3_600_000).toISOString(),
          ...rest,
          ...(rest.text === undefined && rest.model === undefined && { text: 'something' }),
        }))
        const [one, other] = [`before-${run}`, `after-${run}`]
        await importUnder(one, before, messages)
        await importUnder(other, after, messages)
        const organizations = [await organizationOf(one)]
        const request = { organizations, rateCard: { version: other, ...after }, from: '2024-04-30', to: '2024-06-02' }
        const { total, by } = await simulations.simulate(request)
        for (const dimension of ['report', 'member', 'team', 'model'] as const) {
          const group = [dimension]
          const shown = (sumsOf: 'before' | 'after') =>
            new Map(
              by[dimension].groups.map(({ sums, ...names }) => [
                groupKey(names, group),
                sumsOf === 'before'
                  ? `${sums.messages} ${sums.unpricedBefore} ${sums.before}`
                  : `${sums.messages} ${sums.unpricedAfter} ${sums.after}`,
              ]),
            )
          assert.deepEqual(sorted(shown('before')), sorted(await totalsOf(one, group)))
          assert.deepEqual(sorted(shown('after')), sorted(await totalsOf(other, group)))
        }
        // Applied, the ledger says the same.
        await rateCards.put(request.rateCard as Card)
        await cardUses.use(one, { version: other, from: CALENDAR_BEGINS })
        const again = await simulations.simulate({ ...request, rateCard: other })
        const applied = await simulations.apply({ ...request, rateCard: other }, again.hash)
        assert.equal(applied.sums.messages, messages.length)
        assert.deepEqual(
          sorted(await totalsOf(one, ['report', 'member', 'team', 'model', 'outcome', 'rate_card'])),
          sorted(await totalsOf(other, ['report', 'member', 'team', 'model', 'outcome', 'rate_card'])),
        )
        assert.equal(total.messages, messages.length)
      }),
      { numRuns: RUNS },
    )
  } finally {
    await store.close()
    rmSync(folder, { recursive: true })
  }
})

const sorted = (map: ReadonlyMap<string, string>) => [...map].sort(([one], [other]) => (one < other ? -1 : 1))
