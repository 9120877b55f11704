import assert from 'node:assert/strict'
import { once } from 'node:events'
import { Agent, createServer, get, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { signalOfLongWork } from './leaving.ts'

const IDLE_MAX_MS = 50

test('a connection may be silent while long work lasts, and not after it', async (context) => {
  const reasons: unknown[] = []
  const server = createServer({ keepAliveTimeout: 10_000 }, async (request, response) => {
    const signal = request.url === '/long' ? signalOfLongWork(response, new AbortController().signal) : undefined
    await wait(4 * IDLE_MAX_MS)
    if (signal?.aborted) reasons.push(signal.reason)
    response.end('done')
  })
  server.setTimeout(IDLE_MAX_MS)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const agent = new Agent({ keepAlive: true })
  context.after(() => {
    agent.destroy()
    server.close()
  })
  const call = async (path: string): Promise<number | undefined> => {
    const [response] = (await once(get({ port, path, agent }), 'response')) as [IncomingMessage]
    response.resume()
    await once(response, 'end')
    return response.statusCode
  }
  assert.equal(await call('/long'), 200)
  assert.equal(await call('/long'), 200)
  await assert.rejects(call('/short'), { code: 'ECONNRESET' })
  assert.deepEqual(reasons, [])
})
