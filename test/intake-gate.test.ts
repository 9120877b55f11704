/** How much of the intake queue one sender can take, over raw sockets that are slow, silent or greedy. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { describe, test } from 'node:test'
import { setImmediate as letOthersRun } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { gzipSync } from 'node:zlib'
import { type Running, startService } from './harness.ts'

const JSON_TYPE = 'application/json'
const NDJSON = 'application/x-ndjson'

const message = (id: number | string, more: object = {}) => ({
  id,
  text: 'What is the lease term?',
  timestamp: '2024-05-10T12:00:00Z',
  ...more,
})
const bodyOf = (id: number | string, textLength = 10): string =>
  JSON.stringify({ messages: [message(id, { text: 'x'.repeat(textLength) })] })

const post = async (
  service: Running,
  body: string,
  key?: string,
): Promise<{ status: number; retryAfter: string | null }> => {
  const response = await fetch(`${service.url}/v1/messages`, {
    method: 'POST',
    body,
    headers: { 'content-type': JSON_TYPE, ...(key === undefined ? {} : { authorization: `Bearer ${key}` }) },
  })
  await response.text()
  return { status: response.status, retryAfter: response.headers.get('retry-after') }
}

type Client = {
  readonly socket: Socket
  readonly answer: () => string
  readonly until: (what: RegExp) => Promise<string>
}

const CHUNKED = 'Transfer-Encoding: chunked'

/** A connection that has sent the head of a request. */
const begin = async (
  service: Running,
  { type = JSON_TYPE, framing = CHUNKED, key = '' }: { type?: string; framing?: string; key?: string } = {},
): Promise<Client> => {
  const socket = connect(Number(new URL(service.url).port), '127.0.0.1')
  let answer = ''
  socket.setNoDelay(true)
  socket.on('error', () => {})
  socket.on('data', (chunk) => {
    answer += chunk
  })
  await once(socket, 'connect')
  const authorization = key === '' ? '' : `Authorization: Bearer ${key}\r\n`
  socket.write(
    `POST /v1/messages HTTP/1.1\r\nHost: localhost\r\nContent-Type: ${type}\r\n${authorization}${framing}\r\n\r\n`,
  )
  const until = async (what: RegExp): Promise<string> => {
    while (!what.test(answer)) {
      if (socket.destroyed) throw new Error(`the connection ended after ${JSON.stringify(answer)}`)
      await Promise.race([once(socket, 'data'), once(socket, 'close')])
    }
    return answer
  }
  return { socket, answer: () => answer, until }
}

const times = <T>(count: number, make: (index: number) => Promise<T>): Promise<T[]> =>
  Promise.all(Array.from({ length: count }, (_, index) => make(index)))

const chunk = (text: string): string => `${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`
const LAST_CHUNK = '0\r\n\r\n'

/** Sends bodies of that size until a response has that status, because earlier bytes have arrived or were released. */
const untilAnswered = async (service: Running, status: number, textLength: number): Promise<void> => {
  for (let id = 0; ; id++) {
    const answer = await post(service, bodyOf(`probe ${status} ${id}`, textLength))
    if (answer.status === status) return
  }
}

describe('a message is accepted immediately despite', () => {
  for (const [name, count, head] of [
    ['sixteen streams that send nothing', 16, { type: NDJSON }],
    ['four bodies that declare 16 MiB and never arrive', 4, { framing: `Content-Length: ${16 * 1024 * 1024}` }],
    ['hundreds of bodies in chunks that do not come', 300, {}],
    [
      'packed bodies that could unpack to anything',
      16,
      { framing: 'Content-Length: 900000\r\nContent-Encoding: gzip' },
    ],
  ] as const) {
    test(name, async () => {
      await using service = await startService({})
      const silent = await times(count, () => begin(service, head))
      for (const { socket } of silent) if (head === undefined) socket.write(chunk('{'))
      assert.equal((await post(service, bodyOf(1))).status, 200)
      assert.deepEqual(
        silent.map(({ answer }) => answer()).filter((answer) => /HTTP\/1.1 503/.test(answer)),
        [],
        'and nothing that holds nothing is refused',
      )
      for (const { socket } of silent) socket.destroy()
    })
  }

  test('streams that hold the largest partial lines allowed', async () => {
    await using service = await startService({ INTAKE_QUEUE: '1MiB' })
    const streams = await times(16, () => begin(service, { type: NDJSON }))
    for (const { socket } of streams) socket.write(chunk(`{"text":"${'x'.repeat(150_000)}`))
    await untilAnswered(service, 503, 300_000)
    assert.equal((await post(service, bodyOf(1))).status, 200)
    for (const { socket } of streams) socket.destroy()
  })
})

test('64 concurrent chunked bodies of 80 bytes are all accepted', async () => {
  for (const queue of ['64MiB', '1MiB']) {
    await using service = await startService({ INTAKE_QUEUE: queue })
    const clients = await times(64, () => begin(service))
    const bodies = clients.map((_, id) => JSON.stringify({ messages: [message(id, { text: 'x' })] }))
    for (const [id, { socket }] of clients.entries()) socket.write(chunk(bodies[id]?.slice(0, 40) ?? ''))
    for (const [id, { socket }] of clients.entries()) socket.write(chunk(bodies[id]?.slice(40) ?? '') + LAST_CHUNK)
    const answers = await Promise.all(clients.map(({ until }) => until(/"results":\[.*\]/)))
    for (const answer of answers) assert.match(answer, /^HTTP\/1.1 200 /)
    for (const { socket } of clients) socket.destroy()
  }
})

test('a key with a thousand concurrent requests gets only its share, so another key of its organization gets in', async () => {
  await using service = await startService({ INTAKE_QUEUE: '4MiB' })
  const [operator, greedy, modest] = await times(3, (index) => createKey(service, index))
    .then(async ([first = '']) => [first, await createKey(service, 1, first), await createKey(service, 2, first)])
    .catch(() => [])
  assert.ok(operator !== undefined && greedy !== undefined && modest !== undefined)
  const body = bodyOf('greedy', 9000)
  const clients = await times(1000, () => begin(service, { key: greedy, framing: `Content-Length: ${body.length}` }))
  for (const { socket } of clients) socket.write(body.slice(0, -10))
  const refused = await Promise.any(clients.map(({ until }) => until(/too-busy/)))
  assert.match(refused, /^HTTP\/1.1 503 [\s\S]*retry-after: 1\r\n/i)
  for (const length of [10, 1000, 100_000]) {
    assert.equal((await post(service, bodyOf(`modest ${length}`, length), modest)).status, 200, `${length} characters`)
  }
  for (const { socket } of clients) socket.write(body.slice(-10))
  const answers = await Promise.all(clients.map(({ until }) => until(/\r\n\r\n\{.*\}/)))
  const statuses = new Set(answers.map((answer) => answer.slice(9, 12)))
  assert.deepEqual([...statuses].sort(), ['200', '503'], 'every one is answered, and some of them are taken')
  for (const { socket } of clients) socket.destroy()
})

const createKey = async (service: Running, index: number, key?: string): Promise<string> => {
  const response = await fetch(`${service.url}/v1/keys`, {
    method: 'POST',
    headers: { 'content-type': JSON_TYPE, ...(key === undefined ? {} : { authorization: `Bearer ${key}` }) },
    body: JSON.stringify({ name: `key ${index}`, scopes: ['admin'] }),
  })
  return ((await response.json()) as { key: string }).key
}

describe('while the intake queue is full', () => {
  /** Incomplete bodies, one of them too large for its share, that leave room for about 10 KB. */
  const fill = async (service: Running): Promise<readonly Client[]> => {
    const clients = await times(3, () => begin(service, { framing: 'Content-Length: 60000' }))
    clients[0]?.socket.write(`{"messages":[],"padding":"${'x'.repeat(30_000)}`)
    await untilAnswered(service, 503, 18_000)
    clients[1]?.socket.write(`{"messages":[],"padding":"${'x'.repeat(16_000)}`)
    await untilAnswered(service, 503, 10_000)
    clients[2]?.socket.write(`{"messages":[],"padding":"${'x'.repeat(50_000)}`)
    await untilAnswered(service, 503, 40_000)
    return clients
  }

  test('a stream is paused, and continues once there is room', async () => {
    await using service = await startService({ INTAKE_QUEUE: '64KiB' })
    const slow = await fill(service)
    const stream = await begin(service, { type: NDJSON })
    const lines = Array.from({ length: 500 }, (_, id) => `${JSON.stringify(message(id))}\n`)
    stream.socket.write(chunk(lines.join('')) + LAST_CHUNK)
    assert.equal((await post(service, bodyOf('small'))).status, 200, 'what is small goes past it')
    for (const { socket } of slow) socket.destroy()
    assert.match(await stream.until(/"done"/), /"done":true,"accepted":500/)
    stream.socket.destroy()
  })

  test('a body is rejected with 503, which the client can read after sending it all, and the connection stays open', async () => {
    await using service = await startService({ INTAKE_QUEUE: '64KiB' })
    const slow = await fill(service)
    const body = bodyOf('large', 8_000_000)
    const client = await begin(service, { framing: `Content-Length: ${body.length}` })
    assert.match(
      await client.until(/too-busy/),
      /^HTTP\/1.1 503 [\s\S]*retry-after: 1\r\n/i,
      'before anything of it has come',
    )
    for (const { socket } of slow) socket.destroy()
    const small = bodyOf('next')
    client.socket.write(body)
    client.socket.write(
      `POST /v1/messages HTTP/1.1\r\nHost: localhost\r\nContent-Type: ${JSON_TYPE}\r\nContent-Length: ${small.length}\r\n\r\n${small}`,
    )
    await client.until(/HTTP\/1.1 200 [\s\S]*"results"/)
    client.socket.destroy()
  })
})

test('a body too large for its share of a small queue is admitted alone', async () => {
  await using service = await startService({ INTAKE_QUEUE: '64KiB' })
  for (const body of [bodyOf(1, 900_000), bodyOf(2, 900_000)]) assert.equal((await post(service, body)).status, 200)
  const packed = await fetch(`${service.url}/v1/messages`, {
    method: 'POST',
    headers: { 'content-type': JSON_TYPE, 'content-encoding': 'gzip' },
    body: gzipSync(bodyOf(3, 900_000)),
  })
  assert.equal(packed.status, 200)
  await packed.text()
  const stream = await begin(service, { type: NDJSON })
  stream.socket.write(chunk(`${JSON.stringify(message(4, { text: 'x'.repeat(900_000) }))}\n`) + LAST_CHUNK)
  assert.match(await stream.until(/"done"/), /"done":true,"accepted":1/)
  stream.socket.destroy()
})

test('no more than INTAKE_QUEUE is held, however much is sent at once', async () => {
  await using service = await startService({ INTAKE_QUEUE: '1MiB' })
  const part = Buffer.alloc(1_000_000, 0x20)
  const before = bytesHeld()
  const clients = await times(300, () => begin(service, { framing: `Content-Length: ${part.length + 1}` }))
  const sent = clients.map(({ socket }) => new Promise((resolve) => socket.write(part, resolve)))
  await Promise.all(sent)
  await untilAnswered(service, 503, 600_000)
  // The bytes read last are about to be discarded. Held bytes stay as long as their sender is connected.
  const deadline = performance.now() + 30_000
  let grown = bytesHeld() - before
  while (grown >= 10_000_000 && performance.now() < deadline) {
    await letOthersRun()
    grown = bytesHeld() - before
  }
  const refused = clients.filter(({ answer }) => answer().includes('too-busy'))
  assert.ok(refused.length > 290, `${refused.length} of 300 find no room`)
  assert.ok(grown < 10_000_000, `${grown} bytes are held of 300 MB`)
  for (const { socket } of clients) socket.destroy()
  await untilAnswered(service, 200, 100_000)
})

/** After garbage collection. */
const bytesHeld = (): number => {
  setFlagsFromString('--expose-gc')
  runInNewContext('gc')()
  return process.memoryUsage().arrayBuffers
}
