/** A listing with more reports than can be requested in time is an error for its readers and does not affect other requests. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { test } from 'node:test'
import { Worker } from 'node:worker_threads'
import { send, startCopilot, startService } from './harness.ts'

/** Limits processor time, because wall-clock time depends on the load of the machine. On a busy one, collecting garbage takes 0.3 s. */
const AT_A_STRETCH_MAX_MS = 500
const MARGIN_MS = 10_000

/** The longest time that this thread worked between two turns of its event loop. */
const watchThread = () => {
  let longestMs = 0
  let before = process.threadCpuUsage()
  const timer = setInterval(() => {
    const { user, system } = process.threadCpuUsage(before)
    before = process.threadCpuUsage()
    longestMs = Math.max(longestMs, (user + system) / 1000)
  }, 5)
  return { longestMs: () => longestMs, [Symbol.dispose]: () => clearInterval(timer) }
}

for (const messages of [200_000, 400_000]) {
  test(`a listing with ${messages} reports times out, twice, without blocking other requests`, async (context) => {
    const worker = new Worker(new URL('slow-catalogue.ts', import.meta.url), {
      workerData: { messages, answerAfterMs: 100 },
    })
    try {
      const [url] = (await once(worker, 'message')) as [string]
      await using service = await startService({
        UPSTREAM_URL: url,
        UPSTREAM_MAX_BYTES: '1GiB',
        UPSTREAM_TIMEOUT: '8s',
        UPSTREAM_ATTEMPT_TIMEOUT: '8s',
      })
      worker.postMessage(service.url)
      using thread = watchThread()
      for (let time = 0; time < 2; time++) {
        const startedAt = performance.now()
        const answer = await fetch(`${service.url}/usage`)
        const problem = (await answer.json()) as { type: string; detail: string }
        assert.equal(answer.status, 504, JSON.stringify(problem))
        assert.ok(performance.now() - startedAt < 8000 + MARGIN_MS)
      }
      const said = once(worker, 'message')
      worker.postMessage('stop')
      const [{ longestMs, asked }] = (await said) as [{ longestMs: number; asked: number }]
      const workedMs = Math.round(thread.longestMs())
      context.diagnostic(`at work for ${workedMs} ms, /healthz ${Math.round(longestMs)} ms, ${asked} asked`)
      assert.ok(workedMs < AT_A_STRETCH_MAX_MS, `the thread was at work for ${workedMs} ms at a stretch`)
      assert.ok(longestMs < Number.POSITIVE_INFINITY, '/healthz returns 200 throughout')
      assert.ok(asked > 0 && asked < 2000, `${asked} reports were asked for: none once the time was up`)
    } finally {
      await worker.terminate()
    }
  })
}

test('a batch with too many reports times out as a whole, while a batch with one report succeeds', async () => {
  await using upstream = await startCopilot({
    report: (id, _, response) => {
      setTimeout(() => send(response, 200, { id: Number(id), name: 'Lease Report', credit_cost: 79 }), 50)
    },
  })
  await using service = await startService({ UPSTREAM_URL: upstream.url, UPSTREAM_CONCURRENCY: '2' })
  const post = (ids: readonly number[]) =>
    fetch(`${service.url}/v1/messages`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({
        messages: ids.map((id) => ({ id, text: 'Lease?', timestamp: '2024-04-29T02:08:29.375Z', report_id: id })),
      }),
    })
  const many = post(Array.from({ length: 10_000 }, (_, id) => id))
  while (upstream.asked.length === 0) await fetch(`${service.url}/healthz`)
  assert.equal((await post([20_000])).status, 200, 'it waits only for its own report')
  assert.equal((await many).status, 504)
})
