/** Several processes on one database while rate cards are put in force. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { useBothStores } from './both-stores.ts'
import { callService, type Running, sendListing, startCopilot, startService } from './harness.ts'

const { stores } = useBothStores()

const cardOf = (rate: number) => ({
  version: `flat-${rate}`,
  cases: [{ name: 'text', when: { text: true }, lines: [{ rule: 'base', rate }] }],
})

const report = async (service: Running, id: string, timestamp: string): Promise<number> => {
  const { results } = (await callService(service, 'POST', '/v1/messages', {
    messages: [{ id, text: 'a b', timestamp }],
  })) as {
    results: readonly { credits: number }[]
  }
  return results[0]?.credits ?? Number.NaN
}

for (const [name, { newUrl }] of Object.entries(stores)) {
  test(`on ${name}, no request that begins after a card is in force is priced by the one before`, async () => {
    const environment = { DATABASE_URL: await newUrl() }
    await using first = await startService(environment)
    await using second = await startService(environment)
    const timestamp = new Date().toISOString()
    const from = new Date(Date.parse(timestamp) - 1000).toISOString()
    let isDone = false
    const priced: number[] = []
    /** Keeps the assignments of both processes remembered, and batches on their way. */
    const load = async (service: Running, loader: number): Promise<void> => {
      for (let count = 0; !isDone; count++) priced.push(await report(service, `load-${loader}-${count}`, timestamp))
    }
    const loads = [first, second, second].map(load)
    for (let rate = 2; rate <= 12; rate++) {
      const [here, there] = rate % 2 === 0 ? [first, second] : [second, first]
      await callService(here, 'POST', '/v1/rate-cards', cardOf(rate))
      await callService(here, 'PUT', '/v1/organizations/default/rate-card', { version: `flat-${rate}`, from })
      const answers = await Promise.all([there, here].map((each, index) => report(each, `${rate}-${index}`, timestamp)))
      assert.deepEqual(answers, [rate, rate])
    }
    isDone = true
    await Promise.all(loads)
    assert.ok(priced.length > 20, `${priced.length}`)
    const { buckets } = (await callService(first, 'GET', '/v1/usage/totals?period=current&bucket=none')) as {
      buckets: readonly { messages: number; credits: number }[]
    }
    const sum = priced.reduce((total, each) => total + each, 0) + 2 * (((2 + 12) * 11) / 2)
    assert.deepEqual(
      [buckets[0]?.messages, Math.round((buckets[0]?.credits ?? 0) * 1e6)],
      [priced.length + 22, Math.round(sum * 1e6)],
    )
  })
}

test('what an upstream lists is charged by the new card at its next refresh', async () => {
  const timestamp = new Date().toISOString()
  const messages = [{ id: 1, text: 'a b', timestamp, report_id: null }]
  await using copilot = await startCopilot({ listing: sendListing(messages) })
  await using service = await startService({ UPSTREAM_URL: copilot.url })
  const credits = async () =>
    ((await callService(service, 'GET', '/usage')) as { usage: readonly { credits_used: number }[] }).usage[0]
      ?.credits_used
  const before = await credits()
  assert.ok(before !== 7)
  await callService(service, 'POST', '/v1/rate-cards', cardOf(7))
  await callService(service, 'PUT', '/v1/organizations/default/rate-card', {
    version: 'flat-7',
    from: new Date(Date.parse(timestamp) - 1000).toISOString(),
  })
  assert.equal(await credits(), 7)
  const { charges } = (await callService(service, 'GET', '/v1/messages/1')) as {
    charges: readonly { credits: number; state: string; changed?: readonly string[] }[]
  }
  assert.deepEqual(
    charges.map((each) => [each.state, each.credits, each.changed]),
    [
      ['charged', 7, undefined],
      ['superseded', before, ['rate_card']],
    ],
  )
})
