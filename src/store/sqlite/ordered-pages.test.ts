import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { compareLines, type PagePosition } from '#model/line-order.ts'
import { batchOf, DAY_MS, recordOf, START, unpricedOf } from '../../../test/priced.ts'
import { createSqliteLedger } from './ledger.ts'

/** More than one statement looks at, together and on one day. */
const MESSAGES_BY_DAY = [25_000, 30_000, 0, 50_000, 500]

test('pages of a range that is read in several pieces have the lines that sorting all of them gives', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'copilot-credits-test-'))
  const ledger = await createSqliteLedger({ path: join(folder, 'ledger.db') })
  try {
    const members = ['', 'ada', 'ben', 'zoe']
    const records = MESSAGES_BY_DAY.flatMap((messages, day) =>
      Array.from({ length: messages }, (_, index) => {
        const number = day * 100_000 + index
        // Steps that are coprime to the lengths of the lists, so that every piece has lines from all over the order.
        const id = number % 3 === 0 ? `m${(number * 7919) % 100_003}-${number}` : number
        const member = day === 4 ? 'aaron' : members[(number * 7) % 4]
        const options = {
          at: START + day * DAY_MS + ((index * 7919) % 86_399) * 1000,
          micros: ((number * 31) % 997) * 10_000,
          ...(member !== '' && { member }),
          ...(number % 5 === 0 && { reportId: number % 4, reportName: `Report ${day === 3 ? 'A' : number % 3}` }),
        }
        return number % 101 === 0 ? unpricedOf(id, options) : recordOf(id, options)
      }),
    )
    for (let from = 0; from < records.length; from += 5000) {
      await ledger.append(batchOf(records.slice(from, from + 5000)))
    }
    const range = { from: START + 1000, to: START + 5 * DAY_MS }
    for (const by of ['credits', 'id', 'member', 'report'] as const) {
      for (const isDescending of [false, true]) {
        for (const filter of [{}, { member: 'zoe' }]) {
          const order = { by, isDescending }
          const wanted = records
            .filter(({ at, cell }) => at >= range.from && (!('member' in filter) || cell.member === filter.member))
            .sort(compareLines(order))
            .map(({ messageId }) => messageId)
          const pageAfter = (after: PagePosition | undefined, limit: number) =>
            ledger.read('default', (view) => view.page({ ...range, ...filter, order, limit, ...(after && { after }) }))
          let place = 0
          let after: PagePosition | undefined
          for (const limit of [1, 700, 12_000]) {
            const page = await pageAfter(after, limit)
            const found = page.map(({ messageId }) => messageId)
            assert.deepEqual(found, wanted.slice(place, place + limit), `${by} ${isDescending} ${limit}`)
            place += limit
            after = page.at(-1)
          }
        }
      }
    }
  } finally {
    await ledger.close()
    rmSync(folder, { recursive: true })
  }
})
