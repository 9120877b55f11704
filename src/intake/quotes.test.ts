import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { FIRST_CARD } from '#model/cards-in-force.ts'
import { monotonicMs } from '#model/clock.ts'
import { createSqliteLedger } from '#store/sqlite/ledger.ts'
import { START } from '../../test/priced.ts'
import { createCards } from './cards-in-force.ts'
import { createCompiledCards } from './compiled-cards.ts'
import { createQuotes } from './quotes.ts'

test('a card that another process puts in force prices the next quote', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'copilot-credits-quotes-'))
  const ledger = await createSqliteLedger({ path: join(folder, 'ledger.db') })
  const { rateCards } = ledger
  const body = JSON.stringify({ version: 'dear', cases: [{ name: 'all', lines: [{ rule: 'message', rate: 9 }] }] })
  await rateCards.put({ version: 'dear', hash: 'd', body, createdAt: START })
  const now = () => monotonicMs(0)
  const quotes = createQuotes({
    cards: createCards({ ledger, now }),
    compiledCards: createCompiledCards({ rateCards }),
    reportsOf: async () => new Map(),
    limits: { textBytesMax: 100, aheadMaxMs: 0 },
    clock: () => START,
  })
  const cardOfQuote = async () => {
    for await (const quote of quotes.quote('default', [{ text: 'Hello' }], undefined)) {
      return quote.status === 'rejected' ? quote.reason : quote.rateCard
    }
    return undefined
  }
  try {
    assert.equal(await cardOfQuote(), FIRST_CARD)
    await createCards({ ledger, now }).use('default', { version: 'dear', from: START })
    assert.equal(await cardOfQuote(), 'dear')
  } finally {
    await ledger.close()
    rmSync(folder, { recursive: true })
  }
})
