/** What does prom-client take to count a request, next to the least that could be done: sums in maps, found by a string? */
import { Counter, Histogram, Registry } from 'prom-client'
import type { Report } from './report.ts'
import { compareInTurns, cpuOfRuns } from './turns.ts'

const ROUNDS = 40
const REQUESTS = 100_000
const BUCKETS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30]

export const benchRequestCounts = async (report: Report): Promise<void> => {
  const registers = [new Registry()]
  const labelNames = ['method', 'route', 'status']
  const requests = new Counter({ name: 'requests', help: 'Requests.', labelNames, registers })
  const times = { name: 'durations', help: 'Durations.', labelNames: ['route'], buckets: BUCKETS, registers }
  const durations = new Histogram(times)
  const count = createSums()
  report.heading(`Counting a request: ${REQUESTS} in turns, ${ROUNDS} rounds`)
  await compareInTurns(report, 'counting', ROUNDS, {
    'prom-client': () =>
      cpuOfRuns(REQUESTS, (time) => {
        requests.inc({ method: 'GET', route: '/usage', status: 200 })
        durations.observe({ route: '/usage' }, time * 1e-7)
      }),
    'sums in maps': () => cpuOfRuns(REQUESTS, (time) => count('GET', '/usage', 200, time * 1e-7)),
  })
}

const createSums = () => {
  const counts = new Map<string, number>()
  const histograms = new Map<string, { count: number; sum: number; readonly buckets: number[] }>()
  return (method: string, route: string, status: number, seconds: number): void => {
    const key = `${method} ${status} ${route}`
    counts.set(key, (counts.get(key) ?? 0) + 1)
    const histogram = histograms.get(route) ?? { count: 0, sum: 0, buckets: BUCKETS.map(() => 0) }
    histograms.set(route, histogram)
    histogram.count++
    histogram.sum += seconds
    const bucket = BUCKETS.findIndex((bound) => seconds <= bound)
    if (bucket >= 0) histogram.buckets[bucket] = (histogram.buckets[bucket] ?? 0) + 1
  }
}
