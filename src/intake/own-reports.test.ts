import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ReportStore } from '#ledger/ledger.ts'
import { monotonicMs } from '#model/clock.ts'
import { credits } from '#model/credits.ts'
import { StoreError } from '#model/errors.ts'
import type { Id, Report } from '#model/report.ts'
import { createOwnReports } from './own-reports.ts'

const reportOf = (id: Id, cost: number): Report => ({ id, name: `Report ${id}`, creditCost: credits(cost) })

/** The catalogue of one process, on a store that other processes write to as well. */
const startCatalogue = () => {
  const stored = new Map<string, Report>()
  const state = { time: 0, finds: 0, findsAtOnce: 0, findsAtOnceMax: 0, isFailing: false }
  const store: ReportStore = {
    find: async (id) => {
      state.finds++
      state.findsAtOnceMax = Math.max(state.findsAtOnceMax, ++state.findsAtOnce)
      await new Promise(setImmediate)
      state.findsAtOnce--
      if (state.isFailing) throw new StoreError('the disk is full')
      return stored.get(String(id))
    },
    list: async () => [...stored.values()],
    put: async (report) => {
      const outcome = stored.has(String(report.id)) ? 'replaced' : 'created'
      stored.set(String(report.id), report)
      return outcome
    },
    remove: async (id) => stored.delete(String(id)),
  }
  return { reports: createOwnReports({ store, now: () => monotonicMs(state.time) }), store, state }
}

test('a new price and a removal apply at once in this process', async () => {
  const { reports } = startCatalogue()
  assert.equal(await reports.find(1), undefined)
  await reports.put(reportOf(1, 10))
  assert.equal((await reports.find(1))?.creditCost, 10)
  await reports.put(reportOf(1, 20))
  assert.equal((await reports.find('1'))?.creditCost, 20)
  await reports.remove(1)
  assert.equal(await reports.find(1), undefined)
})

test('a price that another process sets applies within a second, and immediately to a lookup that bypasses the cache', async () => {
  const { reports, store, state } = startCatalogue()
  await reports.put(reportOf(1, 10))
  await reports.find(1)
  await store.put(reportOf(1, 20))
  assert.equal((await reports.find(1))?.creditCost, 10)
  assert.equal((await reports.findNow(1))?.creditCost, 20)
  state.time += 1000
  assert.equal((await reports.find(1))?.creditCost, 20)
})

test('a failure of the store is passed on and not remembered', async () => {
  const { reports, state } = startCatalogue()
  state.isFailing = true
  await assert.rejects(reports.find(1), StoreError)
  await assert.rejects(reports.findAll(new Set([1, 2])), StoreError)
  state.isFailing = false
  assert.equal(await reports.find(1), undefined)
})

test('a batch that names many reports finds each once, few at a time, and says which are unknown', async () => {
  const { reports, state } = startCatalogue()
  for (let id = 0; id < 500; id++) await reports.put(reportOf(id, id))
  const ids = new Set(Array.from({ length: 1000 }, (_, id) => id))
  const found = await reports.findAll(ids)
  assert.equal(found.size, 1000)
  assert.deepEqual([found.get(499)?.creditCost, found.get(500)], [499, undefined])
  assert.equal(state.finds, 1000)
  assert.ok(state.findsAtOnceMax <= 32, `${state.findsAtOnceMax} at once`)
  await reports.findAll(ids)
  assert.equal(state.finds, 1000)
})
