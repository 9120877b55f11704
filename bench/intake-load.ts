/**
 * A load generator for `POST /v1/messages`. Prints the number of accepted messages and the request times as JSON. Arguments:
 * port, messages per request, connections, seconds, first id, total requests per second (0: unlimited), and `texts` or `tokens`.
 * At a given rate, the time of a request starts when it was due.
 */
import { connect } from 'node:net'
import { wireMessages, writeMessage } from './wire-messages.ts'

const [port = 0, batch = 1, connections = 1, seconds = 1, firstId = 0, rate = 0] = process.argv.slice(2, 8).map(Number)
const messages = wireMessages(process.argv[8] === 'tokens' ? 'tokens' : 'texts')
const endsAt = performance.now() + seconds * 1000
const durations: number[] = []
let nextId = firstId
let accepted = 0
let failures = 0

const largest = Math.max(...messages.map(({ bytes }) => bytes.length)) + 1
const HEAD_BYTES = 200

/** Writes a whole request to `buffer`; returns its start and end. */
const writeRequest = (buffer: Buffer): readonly [number, number] => {
  const at = new Date().toISOString()
  let end = HEAD_BYTES + buffer.write('{"messages":[', HEAD_BYTES, 'latin1')
  for (let index = 0; index < batch; index++) {
    const id = nextId++
    if (index > 0) buffer[end++] = 0x2c
    end = writeMessage(buffer, end, messages[id % messages.length] as (typeof messages)[number], id, at)
  }
  end += buffer.write(']}', end, 'latin1')
  const head =
    'POST /v1/messages HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n' +
    `Content-Length: ${end - HEAD_BYTES}\r\n\r\n`
  buffer.write(head, HEAD_BYTES - head.length, 'latin1')
  return [HEAD_BYTES - head.length, end]
}

const keepBusy = (_: unknown, connection: number): Promise<void> =>
  new Promise((resolve) => {
    const buffer = Buffer.allocUnsafe(HEAD_BYTES + 20 + batch * largest)
    const socket = connect(port, '127.0.0.1')
    const interval = rate === 0 ? 0 : (connections / rate) * 1000
    let due = performance.now() + (interval * connection) / connections
    let sentAt = 0
    let head = ''
    let left = -1
    const send = (): void => {
      const now = performance.now()
      if (now >= endsAt) {
        socket.destroy()
        resolve()
        return
      }
      if (interval > 0 && due > now) {
        setTimeout(send, due - now)
        return
      }
      head = ''
      left = -1
      sentAt = interval > 0 ? due : now
      due += interval
      const [from, to] = writeRequest(buffer)
      socket.write(buffer.subarray(from, to))
    }
    socket.setNoDelay(true)
    socket.on('connect', send)
    socket.on('error', () => {
      failures++
      resolve()
    })
    socket.on('data', (chunk) => {
      if (left < 0) {
        head += chunk.toString('latin1', 0, 2000)
        const bodyAt = head.indexOf('\r\n\r\n') + 4
        if (bodyAt < 4 || head.length < bodyAt + 30) return
        const count = Number(/\r\n\r\n\{"accepted":(\d+),/.exec(head)?.[1] ?? 0)
        accepted += count
        if (count !== batch) failures++
        left = Number(/content-length: (\d+)/i.exec(head)?.[1]) - (chunk.length - bodyAt)
      } else {
        left -= chunk.length
      }
      if (left > 0) return
      durations.push(performance.now() - sentAt)
      send()
    })
  })

const startedAt = performance.now()
await Promise.all(Array.from({ length: connections }, keepBusy))
const took = (performance.now() - startedAt) / 1000
durations.sort((one, other) => one - other)
const quantile = (part: number): number | null => durations[Math.floor(durations.length * part)] ?? null
process.stdout.write(
  JSON.stringify({ messagesPerSecond: accepted / took, p50Ms: quantile(0.5), p99Ms: quantile(0.99), failures, nextId }),
)
