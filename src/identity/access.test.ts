import assert from 'node:assert/strict'
import { test } from 'node:test'
import { monotonicMs } from '#model/clock.ts'
import { MemoryIdentities } from '../../test/memory-identities.ts'
import { type AccessNeeds, createAccess, Unauthenticated, UnknownHost } from './access.ts'
import { createHostCheck } from './host-names.ts'

const startProcess = (demand: AccessNeeds['demand'], store = new MemoryIdentities()) => {
  const state = { time: 0 }
  const access = createAccess({
    ledger: store,
    demand,
    answersTo: createHostCheck(['billing.example']),
    clock: () => state.time,
    now: () => monotonicMs(state.time),
  })
  return { access, state, store }
}

const presenting = (key: string) => ({ key, host: 'anything.example' })
const READER = { organizationId: 'acme', name: 'reader', scopes: ['usage:read'] } as const
const LOCAL = { host: 'localhost:3000' }
const ELSEWHERE = { host: 'evil.example' }

test('if keys are required, only a complete, known key is let in, under every host name', async () => {
  const { access } = startProcess('required')
  const { key } = await access.createKey(READER)
  const principal = await access.authenticate(presenting(key))
  assert.deepEqual([principal.organizationId, principal.scopes, principal.by], ['acme', ['usage:read'], 'key'])
  const unknown = `cck_acme_${'x'.repeat(43)}`
  for (const claim of [LOCAL, presenting(key.slice(0, -1)), presenting(unknown), presenting('')]) {
    await assert.rejects(access.authenticate(claim), Unauthenticated)
    assert.equal(access.recall(claim), undefined)
  }
})

test('only a key of the default organization with the scope admin is an operator', async () => {
  const { access } = startProcess('required')
  const isOperator = async (organizationId: string, scope: 'admin' | 'usage:read') => {
    const { key } = await access.createKey({ organizationId, name: 'any', scopes: [scope] })
    return (await access.authenticate(presenting(key))).isOperator
  }
  assert.equal(await isOperator('default', 'admin'), true)
  assert.equal(await isOperator('default', 'usage:read'), false)
  assert.equal(await isOperator('acme', 'admin'), false)
})

test('without keys on this machine, local callers are the operator until the first key exists', async () => {
  const { access, state, store } = startProcess('if-any')
  assert.equal(await access.mode(), 'open')
  assert.equal((await access.authenticate(LOCAL)).isOperator, true)
  await assert.rejects(access.authenticate({ host: 'billing.example' }), Unauthenticated)
  const other = startProcess('if-any', store)
  await other.access.createKey(READER)
  await assert.rejects(other.access.authenticate(LOCAL), Unauthenticated)
  state.time += 5000
  assert.equal(access.recall(LOCAL), undefined)
  await assert.rejects(access.authenticate(LOCAL), Unauthenticated)
})

test('without authentication, a page that points its own name at this machine is refused', async () => {
  const { access } = startProcess('none')
  for (const host of ['localhost:3000', '127.0.0.1', '[::1]:80', '192.168.1.7:3000', 'Billing.Example.:80']) {
    assert.equal((await access.authenticate({ host })).isOperator, true, host)
  }
  for (const host of ['evil.example', 'localhost.evil.example', 'billing.example.evil', '', undefined]) {
    await assert.rejects(access.authenticate({ host }), UnknownHost, host)
    assert.equal(access.recall({ host }), undefined)
    assert.throws(() => access.checkName(host), UnknownHost)
  }
  assert.doesNotThrow(() => startProcess('required').access.checkName(ELSEWHERE.host))
})

test('a key is looked up once and then remembered for some seconds', async () => {
  const { access, state, store } = startProcess('required')
  const { key } = await access.createKey(READER)
  assert.equal(access.recall(presenting(key)), undefined)
  for (let time = 0; time < 3; time++) await access.authenticate(presenting(key))
  assert.equal(store.finds, 1)
  assert.equal(access.recall(presenting(key))?.organizationId, 'acme')
  state.time += 5000
  assert.equal(access.recall(presenting(key)), undefined)
})

test('a revoked key stops working at once in this process, and within seconds in any other', async () => {
  const { access, store } = startProcess('required')
  const other = startProcess('required', store)
  const { key, entry } = await access.createKey(READER)
  await access.authenticate(presenting(key))
  await other.access.authenticate(presenting(key))
  await access.revokeKey('acme', entry.id)
  await assert.rejects(access.authenticate(presenting(key)), Unauthenticated)
  other.state.time += 5000
  await assert.rejects(other.access.authenticate(presenting(key)), Unauthenticated)
})

test('a session ends with a sign-out, here at once and elsewhere within seconds, and the key still works', async () => {
  const { access, state, store } = startProcess('required')
  const other = startProcess('required', store)
  const { key } = await access.createKey(READER)
  const session = { ...access.hashOf(key), id: 'session-1' }
  assert.equal((await access.authenticate({ session })).by, 'session')
  await other.access.authenticate({ session })
  await access.endSession(session)
  await access.endSession(session)
  await assert.rejects(access.authenticate({ session }), Unauthenticated)
  state.time += 1_000_000
  await assert.rejects(access.authenticate({ session }), Unauthenticated)
  other.state.time += 5000
  await assert.rejects(other.access.authenticate({ session }), Unauthenticated)
  assert.equal((await access.authenticate({ session: { ...session, id: 'session-2' } })).by, 'session')
  assert.equal((await access.authenticate(presenting(key))).by, 'key')
})

test('a session ends with its key', async () => {
  const { access } = startProcess('required')
  const { key, entry } = await access.createKey(READER)
  const session = { ...access.hashOf(key), id: 'session-1' }
  await access.authenticate({ session })
  await access.revokeKey('acme', entry.id)
  await assert.rejects(access.authenticate({ session }), Unauthenticated)
})

test('the use of a key is written at most once in five minutes, and a failure to write it refuses nobody', async () => {
  const { access, state, store } = startProcess('required')
  const { key } = await access.createKey(READER)
  const usedAt = async () => (await access.listKeys('acme'))[0]?.usedAt
  assert.equal(await usedAt(), undefined)
  const useAt = async (time: number) => {
    state.time = time
    await access.authenticate(presenting(key))
    return usedAt()
  }
  assert.equal(await useAt(1000), 1000)
  assert.equal(await useAt(200_000), 1000)
  assert.equal(await useAt(301_000), 301_000)
  store.keys.used = async () => {
    throw new Error('the disk is full')
  }
  assert.equal(await useAt(700_000), 301_000)
})
