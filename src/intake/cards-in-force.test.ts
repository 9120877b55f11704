import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { type CardsInForce, cardAt } from '#model/cards-in-force.ts'
import { monotonicMs } from '#model/clock.ts'
import { StoreBusy, StoreError } from '#model/errors.ts'
import { createSqliteLedger } from '#store/sqlite/ledger.ts'
import { batchOf, recordOf, START } from '../../test/priced.ts'
import { createCards } from './cards-in-force.ts'

/** Two processes on one ledger, and how often the first has read the cards. */
const start = async () => {
  const folder = mkdtempSync(join(tmpdir(), 'copilot-credits-cards-'))
  const ledger = await createSqliteLedger({ path: join(folder, 'ledger.db') })
  const state = { time: 0, reads: 0, isFailing: false }
  const now = () => monotonicMs(state.time)
  const rateCards = {
    ...ledger.rateCards,
    inForce: async (organizationId: string) => {
      state.reads++
      if (state.isFailing) throw new StoreError('the disk is full')
      return ledger.rateCards.inForce(organizationId)
    },
  }
  await ledger.rateCards.put({ version: 'dear', hash: 'd', body: '{}', createdAt: START })
  return {
    ledger,
    cards: createCards({ ledger: { decide: ledger.decide, rateCards }, now }),
    elsewhere: createCards({ ledger, now }),
    state,
    [Symbol.asyncDispose]: async () => {
      await ledger.close()
      rmSync(folder, { recursive: true })
    },
  }
}

test('a card that this process puts in force applies at once; one that another process does, within a second', async () => {
  await using started = await start()
  const { cards, elsewhere, state } = started
  const cardNow = async () => cardAt(await cards.inForce('default'), START)
  assert.equal(await cardNow(), 'standard-2024')
  assert.deepEqual(await cards.use('default', { from: START, version: 'dear' }), {
    inForce: [{ from: START, version: 'dear' }],
  })
  assert.equal(await cardNow(), 'dear')
  await elsewhere.use('default', { from: START, version: 'standard-2024' })
  assert.equal(await cardNow(), 'dear')
  assert.equal(state.reads, 2)
  state.time += 1000
  assert.equal(await cardNow(), 'standard-2024')
})

test('a default that this process puts in force applies at once to every organization without a card', async () => {
  await using started = await start()
  const { cards } = started
  const cardNow = async () => cardAt(await cards.inForce('default'), START)
  assert.equal(await cardNow(), 'standard-2024')
  await cards.useByDefault({ from: START, version: 'dear' })
  assert.equal(await cardNow(), 'dear')
})

test('a card that was not stored cannot be put in force, nor by an unknown organization', async () => {
  await using started = await start()
  const { cards } = started
  assert.equal(await cards.use('default', { version: 'unknown' }), 'unknown-card')
  assert.equal(await cards.useByDefault({ version: 'unknown' }), 'unknown-card')
  assert.equal(await cards.use('nobody', { version: 'dear' }), undefined)
  assert.ok(Object.hasOwn((await cards.useByDefault({ version: 'dear' })) as object, 'inForce'))
})

test('batches that were priced by replaced cards are priced again, after one read for all of them', async () => {
  await using started = await start()
  const { ledger, cards, elsewhere, state } = started
  await cards.inForce('default')
  await elsewhere.use('default', { from: START, version: 'dear' })
  const appendOf = (id: number) => (inForce: CardsInForce) => {
    const record = recordOf(id, { rateCard: cardAt(inForce, START) })
    return ledger.append({ ...batchOf([record]), cardsVersion: inForce.version })
  }
  const answers = await Promise.all([1, 2, 3, 4, 5].map((id) => cards.appendBy('default', appendOf(id))))
  assert.deepEqual(answers, Array(5).fill(undefined))
  assert.equal(state.reads, 2)
  const lines = await ledger.read('default', (view) => view.page({ from: START, to: START + 1, limit: 10 }))
  assert.deepEqual(
    lines.map(({ messageId, cell }) => [messageId, cell.rateCard]),
    [1, 2, 3, 4, 5].map((id) => [id, 'dear']),
  )
})

test('cards that change whenever a batch is priced end in an error, and a failure to read them is not remembered', async () => {
  await using started = await start()
  const { ledger, cards, elsewhere, state } = started
  let attempts = 0
  const appended = cards.appendBy('default', async ({ version }) => {
    await elsewhere.use('default', { from: START + attempts++, version: 'dear' })
    return ledger.append({ ...batchOf([recordOf(1)]), cardsVersion: version })
  })
  await assert.rejects(appended, StoreBusy)
  assert.equal(await ledger.isEmpty(), true)
  state.time += 1000
  state.isFailing = true
  await assert.rejects(cards.inForce('default'), StoreError)
  state.isFailing = false
  assert.equal((await cards.inForce('default')).own.length, attempts)
})
