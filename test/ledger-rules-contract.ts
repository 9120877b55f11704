/** What usage by rule must be in every store: the lines of every charge, added up. A part of `ledger-contract.ts`. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { type CardOf, explainCharges } from '../src/answering/explaining.ts'
import { LongReadings } from '../src/answering/long-readings.ts'
import { createQueries, type Queries } from '../src/answering/queries.ts'
import { Renderings } from '../src/answering/renderings.ts'
import type { UsageByRule } from '../src/answering/rule-sums.ts'
import { createUsageByRule } from '../src/answering/usage-by-rule.ts'
import type { Ledger, Range } from '../src/ledger/ledger.ts'
import { type ChargeFilter, createChargeTest } from '../src/model/charge-filter.ts'
import { monotonicMs } from '../src/model/clock.ts'
import { type Credits, credits } from '../src/model/credits.ts'
import { type Facts, OUTCOMES } from '../src/model/facts.ts'
import { CALENDAR_BEGINS, type Organization } from '../src/model/organization.ts'
import type { Priced } from '../src/model/usage-record.ts'
import { BUILT_IN_CARDS } from '../src/rating/built-in-cards.ts'
import { totalIfAny } from '../src/rating/card-choice.ts'
import { compileCard } from '../src/rating/compile-card.ts'
import { measure } from '../src/rating/measure.ts'
import { packFacts } from '../src/rating/packed-facts.ts'
import type { OpenLedger } from './opened-ledger.ts'
import { batchOf, DAY_MS, START } from './priced.ts'

const NEXT_PERIOD = START + 31 * DAY_MS
const END = START + 61 * DAY_MS
const MAY_AND_JUNE = { from: START, to: END }

const CARDS = new Map(BUILT_IN_CARDS.map(({ card }) => [card.version, compileCard(card)]))
const MODELS = BUILT_IN_CARDS.flatMap(({ card }) => Object.keys(card.prices ?? {}))
const NAMES = BUILT_IN_CARDS.flatMap(({ card }) => card.cases.flatMap(({ lines }) => lines.map(({ of = '' }) => of)))
const QUANTITIES = [...new Set(NAMES)].filter(
  (name) => !/_tokens$|^(characters|words|third_vowels|report_credits|)$/.test(name),
)
const VERSIONS = [...CARDS.keys()]

/** Numbers from 0 to below `below`, the same for the same seed. */
const createRandom = (seed: number) => {
  let state = seed + 1
  return (below: number): number => {
    state = (state * 48_271) % 2_147_483_647
    return state % below
  }
}

const factsOf = (random: (below: number) => number): Facts => {
  const any = <T>(from: readonly T[]): T => from[random(from.length)] as T
  const outcome = any(OUTCOMES)
  return {
    ...(random(2) === 0 && { measurement: measure(any(['', 'kayak', 'What is the lease term?', 'a b '.repeat(40)])) }),
    ...(random(4) === 0 && { report: { id: 7, ...(random(3) > 0 && { credits: credits(random(90_000_000)) }) } }),
    ...(random(2) === 0 && { model: any([...MODELS, 'gpt-9']) }),
    ...(random(2) === 0 && {
      tokens: {
        input: random(3) * random(300_000),
        cacheRead: random(2) * random(9000),
        cacheWrite: random(2) * random(900),
        output: random(9000),
        reasoning: 0,
        cacheWrite1h: 0,
      },
    }),
    ...(random(2) === 0 && { quantities: { [any(QUANTITIES)]: random(2) === 0 ? random(50) : random(5e6) / 1e6 } }),
    ...(random(3) === 0 && {
      attributes: { feature: any(['chat', 'search', 'x']), plan: any(['paid', 'free', 'annual']) },
    }),
    ...(outcome !== 'succeeded' && { outcome }),
  }
}

const withoutReport = ({ report: _, ...facts }: Facts): Facts => facts

/** A message as its card charges it. */
const messageOf = (id: number, random: (below: number) => number, isLate: boolean): Priced => {
  const facts = factsOf(random)
  const rateCard = VERSIONS[random(VERSIONS.length)] as string
  const amount = totalIfAny(facts, CARDS.get(rateCard) as never)
  const at = START + random((isLate ? 31 : 61) * 24) * 3_600_000
  const feature = facts.attributes?.['feature']
  // Before rate cards were data, the price of a report was only the amount of the charge.
  const isOld = facts.report?.credits !== undefined && amount === facts.report.credits && random(2) === 0
  return {
    messageId: id,
    at,
    timestamp: new Date(at).toISOString(),
    cell: {
      ...(facts.report?.credits !== undefined && { reportId: 7, reportName: 'Seven' }),
      ...(random(3) > 0 && { member: random(2) === 0 ? 'ada' : 'ben' }),
      ...(random(3) === 0 && { team: 'legal' }),
      ...(facts.model !== undefined && { model: facts.model }),
      ...(feature !== undefined && { feature: String(feature) }),
      ...(facts.outcome !== undefined && { outcome: facts.outcome }),
      rateCard,
    },
    ...(amount !== undefined && { credits: amount as Credits }),
    facts: packFacts(isOld ? withoutReport(facts) : facts),
    digest: new Uint8Array(16).fill(random(256)),
  }
}

const FILTERS: readonly ChargeFilter[] = [
  {},
  { member: 'ada' },
  { model: '(other)' },
  { model: MODELS[0] ?? '', team: 'legal' },
  { feature: 'chat', outcome: 'succeeded' },
  { reportId: 7 },
  { rateCard: VERSIONS[0] ?? '', minCredits: credits(500_000) },
  { minCredits: credits(0) },
]

const RANGES: readonly Range[] = [
  MAY_AND_JUNE,
  { from: START + 5 * DAY_MS + 3_600_000, to: NEXT_PERIOD },
  { from: NEXT_PERIOD, to: NEXT_PERIOD + 20 * DAY_MS + 7_200_001 },
]

/** The lines of all charges that are meant, as each is explained alone. */
const sumOfLines = async (ledger: Ledger, organization: Organization, range: Range, filter: ChargeFilter) => {
  const { model: _, feature: __, ...others } = filter
  const lines = await ledger.read(organization.id, (view) => view.page({ ...range, ...filter, limit: 100_000 }))
  const sums = new Map<string, { messages: number; credits: number }>()
  const add = (key: readonly unknown[], amount: number): void => {
    const sum = sums.get(JSON.stringify(key)) ?? { messages: 0, credits: 0 }
    sums.set(JSON.stringify(key), { messages: sum.messages + 1, credits: sum.credits + amount })
  }
  for (const line of lines) {
    assert.ok(createChargeTest(others)(line))
    const stored = await ledger.read(organization.id, (view) => view.charges(line.messageId))
    const explained = await explainCharges(stored, { own: [], byDefault: [] }, cardOf)
    const own = explained.find(({ stored: { at, supersededBy } }) => at === line.at && supersededBy === undefined)
    assert.ok(own !== undefined)
    const { rateCard } = line.cell
    if (own.pricing.status === 'unpriced') {
      add([rateCard], 0)
      continue
    }
    const { case: name, lines: priced } = own.pricing
    add([rateCard, name], own.pricing.credits)
    const byRule = Map.groupBy(priced, ({ rule }) => rule)
    for (const [rule, same] of byRule) {
      add(
        [rateCard, name, rule],
        same.reduce((sum, each) => sum + each.credits, 0),
      )
    }
  }
  return [...sums].map(([key, { messages, credits: amount }]) => `${key} ${messages} ${amount}`).sort()
}

const textsOf = ({ cases }: UsageByRule): readonly string[] =>
  cases
    .flatMap(({ rateCard, name, messages, credits: ofCase, rules }) => {
      const key = name === undefined ? [rateCard] : [rateCard, name]
      return [
        `${JSON.stringify(key)} ${messages} ${ofCase}`,
        ...rules.map((rule) => `${JSON.stringify([...key, rule.rule])} ${rule.messages} ${rule.credits}`),
      ]
    })
    .sort()

const cardOf: CardOf = async (version) => CARDS.get(version)

const startRules = (ledger: Ledger) => {
  const longReadings = new LongReadings(8, () => {})
  const renderings = new Renderings<UsageByRule>({
    bytesMax: 1_000_000,
    bytesPerMessage: 0,
    sizeOf: () => 1000,
    longReadings,
    observe: { longReadings: () => {}, renderings: () => {}, rendered: () => {} },
  })
  const queries: Queries = createQueries({
    ledger,
    cardOf,
    cardsOf: async () => ({ own: [], byDefault: [] }),
    longReadings,
  })
  return { queries, byRule: createUsageByRule({ queries, renderings, now: () => monotonicMs(0), cardOf }) }
}

export const rulesContract = (open: OpenLedger): void => {
  test('usage by rule is that of all lines of the charges, and adds up to the totals, whatever is asked for', async () => {
    await using opened = await open({ namesMax: 3 })
    const { ledger } = opened
    const { queries, byRule } = startRules(ledger)
    let organizations = 0
    const property = fc.asyncProperty(fc.integer({ min: 0, max: 1e9 }), async (seed) => {
      const random = createRandom(seed)
      const id = `rules-${organizations++}`
      const calendar = [{ effectiveFrom: CALENDAR_BEGINS, timeZone: 'UTC', anchorDay: 1 }] as const
      const organization: Organization = { id, name: id, createdAt: START, calendar }
      await ledger.decide(id, { kind: 'create-organization', organization })
      const append = (isLate: boolean) => {
        const messages = Array.from({ length: 90 }, (_, index) => messageOf(index % (isLate ? 60 : 90), random, isLate))
        return ledger.append(batchOf(messages, { onChange: 'amend', organizationId: id }))
      }
      await append(false)
      await append(false)
      await ledger.decide(id, { kind: 'close', until: NEXT_PERIOD })
      // Messages of the closed period are charged the difference, some of them twice.
      await append(true)
      await append(true)
      for (const range of RANGES) {
        for (const filter of FILTERS) {
          const leaving = new AbortController()
          const { answer } = await byRule(organization, { ...range, ...filter }, { signal: leaving.signal })
          leaving.abort()
          assert.ok(answer !== undefined)
          assert.deepEqual(textsOf(answer), await sumOfLines(ledger, organization, range, filter))
          const whole = { width: 'none', timeZone: 'UTC', limit: 1, group: [] } as const
          const totals = await queries.totals(organization, { ...range, ...filter, ...whole })
          const [bucket] = totals.answer?.buckets ?? []
          const { messages, unpriced, credits: sum, cases } = answer
          assert.deepEqual([messages, unpriced, sum], [bucket?.messages, bucket?.unpriced, bucket?.credits])
          for (const each of cases) {
            if (each.name === undefined) continue
            assert.equal(
              each.rules.reduce((total, rule) => total + rule.credits, 0n),
              each.credits,
            )
          }
        }
      }
    })
    await fc.assert(property, { numRuns: 3 })
  })
}
