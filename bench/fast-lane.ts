/**
 * What does the fast lane of `GET /usage` save? It takes only the exact address `/usage`. A request for `/usage?` goes through
 * the framework and gets the same bytes from the same memory.
 */

import { startProcess, startService } from './processes.ts'
import type { Report } from './report.ts'
import { sendRequests } from './requests.ts'
import { compareInTurns, cpuOf, type Way } from './turns.ts'
import { listingOf, startUpstream } from './upstream.ts'

const ROUNDS = 25
const REQUESTS = 5000

export const benchFastLane = async (report: Report): Promise<void> => {
  const listing = listingOf(110, 0)
  await using upstream = await startUpstream(() => listing)
  await using service = await startService({ UPSTREAM_URL: upstream.url, UPSTREAM_MAX_AGE: '1h' })
  const bytes = (await (await fetch(`http://127.0.0.1:${service.port}/usage`)).arrayBuffer()).byteLength
  await using hello = await startProcess('bench/hello-server.ts', String(bytes))
  const asking =
    ({ pid, port }: typeof service, path: string): Way =>
    async () => {
      const before = cpuOf(pid)
      await sendRequests(port, path, REQUESTS)
      return (cpuOf(pid) - before) / REQUESTS
    }
  report.heading(`The fast lane: a response of ${bytes} bytes from memory, ${ROUNDS} rounds of ${REQUESTS} requests`)
  await compareInTurns(report, 'fast lane', ROUNDS, {
    'the fast lane': asking(service, '/usage'),
    'the framework': asking(service, '/usage?'),
    'a bare hello of equal size': asking(hello, '/'),
  })
}
