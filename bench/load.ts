/**
 * A load generator that keeps connections busy with one GET request. Prints the number, bytes and times of responses as JSON.
 * It parses only the length of a response, so that the server is the bottleneck, not the generator. Arguments: port, path,
 * connections, seconds.
 */
import { keepAsking } from './requests.ts'

const [port, path = '/', connections, seconds] = process.argv.slice(2)
const endsAt = performance.now() + Number(seconds) * 1000
const durations: number[] = []
let bytes = 0
let failures = 0

const keepBusy = (): Promise<void> =>
  keepAsking({
    port: Number(port),
    path,
    hasNext: () => performance.now() < endsAt,
    answered: ({ ms, isOk }) => {
      durations.push(ms)
      if (!isOk) failures++
    },
    received: (count) => {
      bytes += count
    },
  }).catch(() => {
    failures++
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
