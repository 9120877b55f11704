/**
 * A load generator for OTLP, and for the same calls as messages. Prints the number of calls that were taken as JSON, and how many
 * requests were refused for want of room: those are sent again, as exporters do. Arguments: port, door, calls per request, connections,
 * seconds, first id, and `gzip` for compressed bodies: each connection repeats its own, which is compressed once.
 */
import { connect } from 'node:net'
import { setTimeout as wait } from 'node:timers/promises'
import { gzipSync } from 'node:zlib'
import { bodyOf, type Door } from './otlp-bodies.ts'

const [port = 0, calls = 1, connections = 1, seconds = 1, firstId = 0] = [2, 4, 5, 6, 7].map((index) =>
  Number(process.argv[index]),
)
const { path, type, bytes, write, isTaken } = bodyOf(process.argv[3] as Door, calls)
const isPacked = process.argv[8] === 'gzip'
const RETRY_MS = 100
let nextId = firstId
let taken = 0
let refused = 0
let failures = 0

const createBody = (): { readonly next: () => Buffer } => {
  const body = Buffer.from(bytes)
  const next = (): Buffer => {
    write(body, nextId, Date.now())
    nextId += calls
    return body
  }
  if (!isPacked) return { next }
  const packed = gzipSync(next(), { level: 1 })
  return { next: () => packed }
}

const keepBusy = ({ next }: { readonly next: () => Buffer }): Promise<void> =>
  new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    let response = ''
    let body: Buffer
    const send = (next: Buffer): void => {
      if (performance.now() >= endsAt) {
        socket.destroy()
        resolve()
        return
      }
      body = next
      response = ''
      socket.cork()
      socket.write(
        `POST ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: ${type}\r\n${isPacked ? 'Content-Encoding: gzip\r\n' : ''}` +
          `Content-Length: ${body.length}\r\n\r\n`,
      )
      socket.write(body)
      socket.uncork()
    }
    const repeat = async (): Promise<void> => {
      await wait(RETRY_MS)
      send(body)
    }
    socket.setNoDelay(true)
    socket.on('connect', () => send(next()))
    socket.on('error', () => {
      failures++
      resolve()
    })
    socket.on('data', (chunk) => {
      response += chunk.toString('latin1')
      const bodyAt = response.indexOf('\r\n\r\n') + 4
      if (bodyAt < 4 || response.length < bodyAt + Number(/content-length: (\d+)/i.exec(response)?.[1])) return
      if (/^HTTP\/1.1 (?:429|503)/.test(response)) {
        refused++
        void repeat()
        return
      }
      if (isTaken(response)) taken += calls
      else failures++
      send(next())
    })
  })

const bodies = Array.from({ length: connections }, createBody)
const endsAt = performance.now() + seconds * 1000

const startedAt = performance.now()
await Promise.all(bodies.map(keepBusy))
const took = (performance.now() - startedAt) / 1000
process.stdout.write(JSON.stringify({ messagesPerSecond: taken / took, taken, refused, failures, nextId }))
