import assert from 'node:assert/strict'
import { test } from 'node:test'
import { periodAt } from '#calendar/periods.ts'
import type { Ledger } from '#ledger/ledger.ts'
import { monotonicMs } from '#model/clock.ts'
import { MemoryIdentities } from '../../test/memory-identities.ts'
import { createOrganizations } from './organizations.ts'

const MAY = Date.UTC(2024, 4, 15)

/** Several processes share a store. */
const startProcess = (store = new MemoryIdentities()) => {
  const state = { time: MAY, elapsedMs: 0, latest: 0 }
  const ledger: Pick<Ledger, 'organizations' | 'decide' | 'latestInstant'> = {
    organizations: store.organizations,
    decide: (id, command) => store.decide(id, command),
    latestInstant: async (time) => {
      state.latest = Math.max(state.latest, time)
      return state.latest
    },
  }
  const clock = () => state.time
  const now = () => monotonicMs(state.elapsedMs)
  return { organizations: createOrganizations({ ledger, clock, now }), state, store }
}

const WANTED = { id: 'acme', name: 'Acme', timeZone: 'UTC', anchorDay: 1 }
test('an id is given to one organization only', async () => {
  const { organizations } = startProcess()
  assert.equal((await organizations.create(WANTED))?.createdAt, MAY)
  assert.equal(await organizations.create({ ...WANTED, name: 'Other' }), undefined)
  assert.equal((await organizations.find('acme'))?.name, 'Acme')
  assert.equal(await organizations.find('other'), undefined)
})

test('a change is seen here at once, and within seconds in another process, which is asked for the present one at once', async () => {
  const { organizations, store } = startProcess()
  const other = startProcess(store)
  await organizations.create(WANTED)
  await other.organizations.find('acme')
  await organizations.change('acme', { name: 'Acme & Co' })
  assert.equal((await organizations.find('acme'))?.name, 'Acme & Co')
  assert.equal((await other.organizations.find('acme'))?.name, 'Acme')
  other.state.elapsedMs += 5000
  assert.equal((await other.organizations.find('acme'))?.name, 'Acme & Co')
  await organizations.change('acme', { name: 'Acme' })
  assert.equal((await other.organizations.findNow('acme'))?.name, 'Acme')
})

test('an organization is looked up once in some seconds, and stays the same object while it is the same', async () => {
  const { organizations, state, store } = startProcess()
  const created = await organizations.create(WANTED)
  await organizations.find('acme')
  assert.equal(store.finds, 0)
  state.elapsedMs += 5000
  assert.equal(await organizations.find('acme'), created)
  await organizations.find('acme')
  assert.equal(store.finds, 1)
  assert.notEqual(await organizations.change('acme', { name: 'Other' }), created)
})

test('a calendar changes at the next period, so the current period does not move', async () => {
  const { organizations, state } = startProcess()
  const created = await organizations.create(WANTED)
  assert.ok(created)
  const changed = await organizations.change('acme', { anchorDay: 20, timeZone: 'Europe/Berlin' })
  assert.ok(changed)
  assert.deepEqual(periodAt(changed.calendar, state.time), periodAt(created.calendar, state.time))
  const june = periodAt(changed.calendar, Date.UTC(2024, 5, 25))
  assert.equal(june.start, Date.parse('2024-06-20T00:00:00+02:00'))
  assert.equal(await organizations.change('other', { anchorDay: 20 }), undefined)
})

test('a clock that was set back does not move a period that has begun', async () => {
  const { organizations, state } = startProcess()
  await organizations.create(WANTED)
  state.latest = Date.UTC(2024, 7, 10)
  const changed = await organizations.change('acme', { anchorDay: 20 })
  assert.ok(changed)
  const august = { start: Date.UTC(2024, 7, 1), end: Date.UTC(2024, 8, 1) }
  assert.deepEqual(periodAt(changed.calendar, state.latest), august)
})
