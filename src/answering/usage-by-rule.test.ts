import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createListing, listingView } from '#current-period/listing.ts'
import type { Ledger, LedgerView } from '#ledger/ledger.ts'
import { monotonicMs } from '#model/clock.ts'
import { credits } from '#model/credits.ts'
import { StoreBusy, StoreError } from '#model/errors.ts'
import { CALENDAR_BEGINS, type Organization } from '#model/organization.ts'
import type { Priced } from '#model/usage-record.ts'
import { measure } from '#rating/measure.ts'
import { packMeasurement } from '#rating/packed-measurement.ts'
import { chargeOfText, standardCard } from '#rating/standard-card.ts'
import type { CardOf } from './explaining.ts'
import { LongReadings } from './long-readings.ts'
import { createQueries } from './queries.ts'
import { Renderings } from './renderings.ts'
import type { UsageByRule } from './rule-sums.ts'
import { createUsageByRule, type RuleQuery } from './usage-by-rule.ts'

const ORGANIZATION: Organization = {
  id: 'acme',
  name: 'Acme',
  createdAt: 0,
  calendar: [{ effectiveFrom: CALENDAR_BEGINS, timeZone: 'UTC', anchorDay: 1 }],
}
const MAY = Date.parse('2024-05-01T00:00:00Z')
const JUNE = Date.parse('2024-06-01T00:00:00Z')
const measurement = measure('What is the lease term?')

const chargeOf = (messageId: number): Priced => ({
  messageId,
  at: MAY + messageId,
  timestamp: new Date(MAY + messageId).toISOString(),
  credits: chargeOfText(measurement).credits,
  cell: { rateCard: standardCard.version, ...(messageId % 2 === 0 && { member: 'ada' }) },
  facts: packMeasurement(measurement),
  digest: new Uint8Array(16),
})

/** A ledger of so many messages that counts how often its records are read, and waits for `mayRead` before each time. */
const startLedger = (count: number, longReadingsMax = 8) => {
  const state = {
    version: 1,
    pieces: 0,
    cards: 0,
    mayRead: Promise.resolve(),
    charges: Array.from({ length: count }, (_, id) => chargeOf(id)),
  }
  const ledger: Pick<Ledger, 'read'> = {
    read: async (_, reading, { signal } = {}) => {
      const byId = new Map(state.charges.map((charge) => [charge.messageId, charge]))
      const view: LedgerView = listingView(createListing(byId), ORGANIZATION.calendar)
      const version = state.version
      return reading({
        ...view,
        version: async () => version,
        keptCharges: async (query) => {
          state.pieces++
          await state.mayRead
          signal?.throwIfAborted()
          return view.keptCharges(query)
        },
      })
    },
  }
  const cardOf: CardOf = async (version) => {
    state.cards++
    return version === standardCard.version ? standardCard : undefined
  }
  const longReadings = new LongReadings(longReadingsMax, () => {})
  const queries = createQueries({ ledger, cardOf, cardsOf: async () => ({ own: [], byDefault: [] }), longReadings })
  const renderings = new Renderings<UsageByRule>({
    bytesMax: 10_000,
    bytesPerMessage: 0,
    sizeOf: () => 1000,
    longReadings,
    observe: { longReadings: () => {}, renderings: () => {}, rendered: () => {} },
  })
  const byRule = createUsageByRule({ queries, renderings, now: () => monotonicMs(0), cardOf })
  const ask = async (query: Partial<RuleQuery> = {}, knows?: (version: string) => boolean) => {
    const leaving = new AbortController()
    const asked = { from: MAY, to: JUNE, ...query }
    return byRule(ORGANIZATION, asked, { signal: leaving.signal, knows }).finally(() => leaving.abort())
  }
  return { state, ask, byRule }
}

test('the records are read once for each version of a range, and not at all for a caller who has the answer', async () => {
  const { state, ask } = startLedger(10)
  const first = await ask()
  assert.equal(first.answer?.messages, 10)
  const pieces = state.pieces
  assert.equal(pieces, 1)
  assert.deepEqual(await ask(), first)
  assert.deepEqual(await ask({}, (version) => version === first.version), { version: first.version })
  assert.equal(state.pieces, pieces)
  state.charges.push(chargeOf(10))
  state.version++
  assert.equal((await ask({}, (version) => version === first.version)).answer?.messages, 11)
  assert.equal(state.pieces, pieces + 1)
})

test('filters are kept apart, and no more of them than there is room for', async () => {
  const { state, ask } = startLedger(10)
  const filters = [{}, { member: 'ada' }, { minCredits: credits(9_000_000) }, { member: 'ada', to: JUNE - 1 }]
  const messages = async () => Promise.all(filters.map(async (filter) => (await ask(filter)).answer?.messages))
  assert.deepEqual(await messages(), [10, 5, 0, 5])
  assert.deepEqual(await messages(), [10, 5, 0, 5])
  assert.equal(state.pieces, 4)
  for (let day = 1; day < 20; day++) await ask({ to: JUNE - day * 86_400_000 })
  await ask()
  assert.equal(state.pieces, 4 + 19 + 1)
})

test('callers that ask at the same time share one reading, which ends once all of them have left', async () => {
  const { state, byRule } = startLedger(10)
  const reading = Promise.withResolvers<void>()
  state.mayRead = reading.promise
  const callers = Array.from({ length: 3 }, () => new AbortController())
  const answers = callers.map(({ signal }) => byRule(ORGANIZATION, { from: MAY, to: JUNE }, { signal }))
  const settled = Promise.allSettled(answers)
  while (state.pieces === 0) await new Promise((resolve) => setImmediate(resolve))
  callers[0]?.abort(new Error('left'))
  await assert.rejects(answers[0] as Promise<unknown>, /^Error: left$/)
  reading.resolve()
  assert.equal((await answers[1])?.answer?.messages, 10)
  await settled
  assert.equal(state.pieces, 1)

  state.version++
  const other = Promise.withResolvers<void>()
  state.mayRead = other.promise
  const alone = new AbortController()
  const left = byRule(ORGANIZATION, { from: MAY, to: JUNE }, { signal: alone.signal })
  while (state.pieces === 1) await new Promise((resolve) => setImmediate(resolve))
  alone.abort(new Error('left'))
  await assert.rejects(left, /^Error: left$/)
  other.resolve()
})

test('a card that is not stored is an error, as is a charge that its card does not explain', async () => {
  const { state, ask } = startLedger(1)
  const [charge] = state.charges
  assert.ok(charge !== undefined)
  state.charges[0] = { ...charge, cell: { rateCard: 'gone' } }
  await assert.rejects(ask(), StoreError)
  state.charges[0] = { ...charge, credits: credits(1) }
  state.version++
  await assert.rejects(ask(), /the lines of message 0 do not add up/)
})

test('many messages are refused while as many long reads as allowed are in progress', async () => {
  const { ask } = startLedger(10_001, 0)
  await assert.rejects(ask(), StoreBusy)
})
