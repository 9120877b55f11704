import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import { laterBy, monotonicNow } from '#model/clock.ts'
import { type CallAttempt, createHttpClient } from './http-client.ts'

test('a bug in our own body reader is thrown at once, not retried or reported as an upstream failure', async () => {
  const server = createServer((_, response) => response.end('{}')).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const attempts: CallAttempt[] = []
  const client = createHttpClient({
    baseUrl: new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}`),
    attemptTimeoutMs: 10_000,
    attemptsMax: 3,
    bytesMax: 1024,
    now: monotonicNow,
    random: () => 0,
    observe: (attempt) => attempts.push(attempt),
  })
  const bug = new TypeError('x is not a function')
  const fail = (): never => {
    throw bug
  }
  for (const reader of [
    { push: fail, end: () => {} },
    { push: () => {}, end: fail },
  ]) {
    const call = {
      kind: 'report',
      path: '/reports/1',
      conditions: {},
      mayBeMissing: true,
      deadline: laterBy(monotonicNow(), 10_000),
      start: () => reader,
    } as const
    await assert.rejects(client.get(call), (error) => error === bug)
  }
  assert.deepEqual(attempts, [])
  await client.close()
  server.close()
})
