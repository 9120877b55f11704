import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { StoredCard } from '#ledger/ledger.ts'
import { findCard, keepBuiltIn, listCards } from './card-catalogue.ts'

const VERSION = 'github-copilot-2026-06'

const start = (...cards: readonly StoredCard[]) => {
  const stored = new Map(cards.map((card) => [card.version, card]))
  return {
    stored,
    rateCards: {
      find: async (version: string) => stored.get(version),
      list: async () => [...stored.values()],
      put: async (card: StoredCard) => {
        const present = stored.get(card.version)
        if (present !== undefined) return present.hash === card.hash ? ('same' as const) : ('conflict' as const)
        stored.set(card.version, card)
        return 'created' as const
      },
    },
  }
}

test('a card that was stored under a version that came with the product later stays', async () => {
  const own = { version: VERSION, hash: 'own', body: '{}', createdAt: 5 }
  const { rateCards, stored } = start(own)
  assert.deepEqual(await findCard(rateCards, VERSION), own)
  assert.deepEqual(
    (await listCards(rateCards)).filter(({ version }) => version === VERSION),
    [own],
  )
  await keepBuiltIn(rateCards, VERSION, 6)
  assert.deepEqual(stored.get(VERSION), own)
})

test('a built-in card that is put in force is stored, and is shown as before', async () => {
  const { rateCards, stored } = start()
  const [found, listed] = [await findCard(rateCards, VERSION), await listCards(rateCards)]
  assert.equal(found?.builtIn?.asOf, '2026-06-01')
  await keepBuiltIn(rateCards, VERSION, 5)
  assert.deepEqual(stored.get(VERSION), { version: VERSION, hash: found.hash, body: found.body, createdAt: 5 })
  assert.deepEqual(await findCard(rateCards, VERSION), found)
  assert.deepEqual(await listCards(rateCards), listed)
})

test('a card that is neither stored nor built in is not stored', async () => {
  const { rateCards, stored } = start()
  await keepBuiltIn(rateCards, 'unknown', 5)
  assert.equal(stored.size, 0)
  assert.equal(await findCard(rateCards, 'unknown'), undefined)
})
