import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { StoredCard } from '#ledger/ledger.ts'
import type { Card } from '#model/card.ts'
import { StoreError } from '#model/errors.ts'
import { createCompiledCards } from './compiled-cards.ts'

const flat = (version: string): Card => ({
  version,
  cases: [{ name: 'flat', lines: [{ rule: 'message', rate: 2 }] }],
})

const bodyOf = (version: string, body = JSON.stringify(flat(version))): StoredCard => ({
  version,
  hash: version,
  body,
  createdAt: 0,
})

/** A store, and the versions that were read from it. */
const start = () => {
  const stored = new Map<string, StoredCard>()
  const read: string[] = []
  const state = { isFailing: false }
  const find = async (version: string): Promise<StoredCard | undefined> => {
    read.push(version)
    if (state.isFailing) throw new StoreError('the disk is full')
    return stored.get(version)
  }
  return { cards: createCompiledCards({ rateCards: { find } }), stored, read, state }
}

test('the built-in card needs no store, and every other one is read once, however many ask at the same time', async () => {
  const { cards, stored, read } = start()
  stored.set('flat', bodyOf('flat'))
  assert.equal((await cards.byVersion('standard-2024'))?.version, 'standard-2024')
  const [one, other] = await Promise.all([cards.byVersion('flat'), cards.byVersion('flat')])
  assert.equal(one?.total({}), 2_000_000)
  assert.equal(one, other)
  assert.equal(await cards.byVersion('flat'), one)
  assert.deepEqual(read, ['flat'])
})

test('a card that is missing, or a store that fails, is asked again', async () => {
  const { cards, stored, state } = start()
  assert.equal(await cards.byVersion('flat'), undefined)
  stored.set('flat', bodyOf('flat'))
  state.isFailing = true
  await assert.rejects(cards.byVersion('flat'), StoreError)
  state.isFailing = false
  assert.equal((await cards.byVersion('flat'))?.version, 'flat')
})

test('a stored card that is not a card is a failure of the store', async () => {
  const { cards, stored } = start()
  stored.set('broken', bodyOf('broken', '{"version":"broken"}'))
  await assert.rejects(cards.byVersion('broken'), StoreError)
})

test('the cards that were used last are remembered', async () => {
  const { cards, stored, read } = start()
  for (let index = 0; index <= 32; index++) stored.set(`card-${index}`, bodyOf(`card-${index}`))
  for (let index = 0; index < 32; index++) await cards.byVersion(`card-${index}`)
  await cards.byVersion('card-0')
  await cards.byVersion('card-32')
  read.length = 0
  await cards.byVersion('card-0')
  assert.deepEqual(read, [])
  await cards.byVersion('card-1')
  assert.deepEqual(read, ['card-1'])
})
