/**
 * A load generator that keeps connections busy with one GET request. Prints the number, bytes and times of responses as JSON.
 * It parses only the length of a response, so that the server is the bottleneck, not the generator. Arguments: port, path,
 * connections, seconds.
 */
import { connect } from 'node:net'

const [port, path, connections, seconds] = process.argv.slice(2)
const request = Buffer.from(`GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n`)
const endsAt = performance.now() + Number(seconds) * 1000
const durations: number[] = []
let bytes = 0
let failures = 0

const keepBusy = (): Promise<void> =>
  new Promise((resolve) => {
    const socket = connect(Number(port), '127.0.0.1')
    let sentAt = 0
    let head = ''
    let left = -1
    const send = (): void => {
      if (performance.now() >= endsAt) {
        socket.destroy()
        resolve()
        return
      }
      head = ''
      left = -1
      sentAt = performance.now()
      socket.write(request)
    }
    socket.setNoDelay(true)
    socket.on('connect', send)
    socket.on('error', () => {
      failures++
      resolve()
    })
    socket.on('data', (chunk) => {
      bytes += chunk.length
      if (left < 0) {
        head += chunk.toString('latin1')
        const end = head.indexOf('\r\n\r\n')
        if (end < 0) return
        if (!head.startsWith('HTTP/1.1 200')) failures++
        left = Number(/content-length: (\d+)/i.exec(head)?.[1]) - (head.length - end - 4)
      } else {
        left -= chunk.length
      }
      if (left > 0) return
      durations.push(performance.now() - sentAt)
      send()
    })
  })

const startedAt = performance.now()
await Promise.all(Array.from({ length: Number(connections) }, keepBusy))
const took = (performance.now() - startedAt) / 1000
durations.sort((one, other) => one - other)
process.stdout.write(
  JSON.stringify({
    requestsPerSecond: durations.length / took,
    p99Ms: durations[Math.floor(durations.length * 0.99)] ?? null,
    megabytesPerSecond: bytes / 1e6 / took,
    failures,
  }),
)
