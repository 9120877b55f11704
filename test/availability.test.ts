/** Clients that request large responses do not block others, even if they disconnect. The service runs in its own process. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { startService } from '../bench/processes.ts'
import type { Priced } from '../src/model/usage-record.ts'
import { measure } from '../src/rating/measure.ts'
import { packMeasurement } from '../src/rating/packed-measurement.ts'
import { createSqliteLedger } from '../src/store/sqlite/ledger.ts'
import { batchOf, DAY_MS, recordOf, START } from './priced.ts'

const MESSAGES = 300_000
const MONTH = '/usage?period=2024-05'
const SMALL = '/usage?organization=small&period=2024-05'

/** A large range, different for each number. */
const rangeOf = (number: number): string =>
  `/usage?from=2024-05-01&to=${new Date(START + 30 * DAY_MS + number * 60_000).toISOString()}`
const hoursOf = (number: number): string =>
  `/v1/usage/totals?from=2024-05-01&to=2024-06-01&bucket=hour&limit=${500 + number}`

const folder = mkdtempSync(join(tmpdir(), 'copilot-credits-availability-'))
const DATABASE_URL = `sqlite:${join(folder, 'ledger.db')}`

const messageOf = (id: number, of: number): Priced => ({
  ...recordOf(id, { at: START + Math.floor((id * 31 * DAY_MS) / of) }),
  facts: packMeasurement(measure('How much is left of the budget?')),
})

const fill = async (): Promise<void> => {
  const ledger = await createSqliteLedger({ path: join(folder, 'ledger.db') })
  const calendar = [{ effectiveFrom: -8_640_000_000_000_000, timeZone: 'UTC', anchorDay: 1 }] as const
  const small = { id: 'small', name: 'Small', createdAt: START, calendar }
  await ledger.decide('small', { kind: 'create-organization', organization: small })
  const append = (organizationId: string, first: number, count: number, of: number) => {
    const records = Array.from({ length: count }, (_, index) => messageOf(first + index, of))
    return ledger.append(batchOf(records, { organizationId }))
  }
  await append('small', 0, 100, 100)
  for (let first = 0; first < MESSAGES; first += 10_000) await append('default', first, 10_000, MESSAGES)
  await ledger.close()
}

const start = async (environment: Readonly<Record<string, string>> = {}) => {
  const running = await startService({ DATABASE_URL, ...environment })
  const url = `http://127.0.0.1:${running.port}`
  const metric = async (name: string): Promise<number> => {
    const lines = (await (await fetch(`${url}/metrics`)).text()).split('\n')
    return Number(lines.find((line) => line.startsWith(`${name} `))?.slice(name.length + 1) ?? 0)
  }
  return {
    url,
    metric,
    /** Sends a request without waiting for the response. */
    ask: (path: string): Promise<Socket> =>
      new Promise((resolve, reject) => {
        const socket = connect(running.port, '127.0.0.1', () => {
          socket.pause()
          socket.write(`GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:${running.port}\r\n\r\n`, () => resolve(socket))
        })
        socket.on('error', reject)
      }),
    [Symbol.asyncDispose]: () => running[Symbol.asyncDispose](),
  }
}

type Service = Awaited<ReturnType<typeof start>>

/** Waits until the condition holds; fails after a time that is ample on any machine. */
const until = async (what: string, isSo: () => Promise<boolean>): Promise<void> => {
  const endsAt = performance.now() + 30_000
  while (!(await isSo())) {
    if (performance.now() > endsAt) assert.fail(`never: ${what}`)
    await wait(50)
  }
}

/** The share of one processor that the service uses during half a second without requests. */
const isIdle = async ({ metric }: Service): Promise<boolean> => {
  const [used, at] = [await metric('process_cpu_seconds_total'), performance.now()]
  await wait(500)
  const share = ((await metric('process_cpu_seconds_total')) - used) / ((performance.now() - at) / 1000)
  return share < 0.4
}

const statusesOf = async (requests: readonly Promise<Response>[]): Promise<readonly number[]> =>
  Promise.all(
    requests.map(async (request) => {
      const response = await request
      await response.arrayBuffer()
      return response.status
    }),
  )

const othersAreAnswered = async ({ url }: Service): Promise<void> => {
  const message = { id: crypto.randomUUID(), timestamp: new Date().toISOString(), text: 'How much is left?' }
  const posted = fetch(`${url}/v1/messages?organization=small`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ messages: [message] }),
  })
  assert.deepEqual(
    await statusesOf([fetch(`${url}/v1/periods/current`), fetch(`${url}${SMALL}`), posted]),
    [200, 200, 200],
  )
}

describe('availability', () => {
  before(fill)
  after(() => rmSync(folder, { recursive: true }))

  test('concurrent requests for the same state share one rendering, and each gets the whole response', async () => {
    await using service = await start()
    const bodies = await Promise.all(
      Array.from({ length: 12 }, async () => {
        const response = await fetch(`${service.url}${MONTH}`)
        const bytes = Buffer.from(await response.arrayBuffer())
        return `${response.status} ${response.headers.get('etag')} ${bytes.length} ${bytes.subarray(-2)}`
      }),
    )
    assert.equal(new Set(bodies).size, 1)
    assert.match(bodies[0] ?? '', /^200 .* \d{8} \]\}$/)
    assert.equal(await service.metric('copilot_credits_renderings_total{outcome="complete"}'), 1)
    const again = await fetch(`${service.url}${MONTH}`)
    assert.match(again.headers.get('cache-status') ?? '', /hit/)
    await again.arrayBuffer()
  })

  test('a client that disconnects does not affect others that share its rendering', async () => {
    await using service = await start()
    const first = await service.ask(MONTH)
    await until('a rendering is in progress', async () => (await service.metric('copilot_credits_renderings')) === 1)
    const other = fetch(`${service.url}${MONTH}`)
    await service.metric('copilot_credits_renderings')
    first.destroy()
    const { usage } = (await (await other).json()) as { readonly usage: readonly unknown[] }
    assert.equal(usage.length, MESSAGES)
  })

  for (const [what, pathOf] of [
    ['one state', () => MONTH],
    ['many states', rangeOf],
    ['totals by hour', hoursOf],
  ] as const) {
    test(`200 clients that request ${what} and disconnect leave nothing behind and block nobody`, async () => {
      await using service = await start()
      const residentBytes = await service.metric('process_resident_memory_bytes')
      const readers = await Promise.all(Array.from({ length: 200 }, (_, number) => service.ask(pathOf(number))))
      await othersAreAnswered(service)
      const grown = (await service.metric('process_resident_memory_bytes')) - residentBytes
      for (const reader of readers) reader.destroy()
      await until('nothing is rendered for clients that disconnected', async () => {
        const underWay = await service.metric('copilot_credits_renderings')
        return underWay + (await service.metric('copilot_credits_long_readings')) === 0
      })
      await until('the processor is idle', () => isIdle(service))
      assert.ok(grown < 300e6, `${Math.round(grown / 1e6)} MB more`)
      await othersAreAnswered(service)
    })
  }

  test('beyond LONG_READINGS, large requests get 503 with Retry-After; small ones and messages succeed', async () => {
    await using service = await start({ LONG_READINGS: '1' })
    const large = Array.from({ length: 8 }, (_, number) => fetch(`${service.url}${rangeOf(number)}`))
    await othersAreAnswered(service)
    const refused = (await Promise.all(large)).filter(({ status }) => status !== 200)
    assert.ok(refused.length > 0 && refused.length < large.length)
    for (const response of refused) {
      assert.equal(response.status, 503)
      assert.equal(response.headers.get('retry-after'), '1')
      assert.match(((await response.json()) as { readonly type: string }).type, /too-busy$/)
    }
    await until('there is room again', async () => (await fetch(`${service.url}${rangeOf(9)}`)).status === 200)
  })

  test('beyond ANSWER_MEMORY, large requests get 503, but a single response may exceed it', async () => {
    await using service = await start({ ANSWER_MEMORY: '1MiB' })
    const statuses = await statusesOf([0, 1, 2].map((number) => fetch(`${service.url}${rangeOf(number)}`)))
    assert.deepEqual([...new Set(statuses)].sort(), [200, 503])
    await until('the response is dropped', async () => (await service.metric('copilot_credits_rendered_bytes')) === 0)
  })
})
