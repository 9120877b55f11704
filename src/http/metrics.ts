/** What the service counts, in the format of Prometheus. */
import { Counter, collectDefaultMetrics, Histogram, Registry } from 'prom-client'
import type { UsageObserver } from '#metering/ports.ts'

export type Metrics = ReturnType<typeof createMetrics>

export const createMetrics = () => {
  const registry = new Registry()
  const registers = [registry]
  collectDefaultMetrics({ register: registry })

  const requests = new Counter({
    name: 'http_requests_total',
    help: 'Requests answered, by method, route and status.',
    labelNames: ['method', 'route', 'status'],
    registers,
  })
  const durations = new Histogram({
    name: 'http_request_duration_seconds',
    help: 'Time from the request to the end of its answer, by route.',
    labelNames: ['route'],
    buckets: [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30],
    registers,
  })
  const upstreamCalls = new Counter({
    name: 'copilot_credits_upstream_calls_total',
    help: 'Attempts to call the Copilot service, by call (listing, report) and outcome.',
    labelNames: ['call', 'outcome'],
    registers,
  })
  const upstreamDurations = new Histogram({
    name: 'copilot_credits_upstream_call_duration_seconds',
    help: 'Time an attempt to call the Copilot service took, by call.',
    labelNames: ['call'],
    buckets: [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30],
    registers,
  })
  const refreshes = new Counter({
    name: 'copilot_credits_refreshes_total',
    help: 'Times the current period was brought up to date, by outcome (changed, unchanged, failed).',
    labelNames: ['outcome'],
    registers,
  })
  const refreshDurations = new Histogram({
    name: 'copilot_credits_refresh_duration_seconds',
    help: 'Time it took to bring the current period up to date.',
    buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30],
    registers,
  })
  const answers = new Counter({
    name: 'copilot_credits_usage_answers_total',
    help: 'Answers of the current usage, by where they came from (memory, refresh, stale, none).',
    labelNames: ['from'],
    registers,
  })
  const priced = new Counter({
    name: 'copilot_credits_messages_priced_total',
    help: 'Messages priced.',
    registers,
  })
  const duplicateEntries = new Counter({
    name: 'copilot_credits_duplicate_entries_total',
    help: 'Entries that a listing held again, identical, and that were charged once.',
    registers,
  })

  const answersFrom = {
    memory: answers.labels('memory'),
    refresh: answers.labels('refresh'),
    stale: answers.labels('stale'),
    none: answers.labels('none'),
  }
  const observer: UsageObserver = {
    served: (from) => answersFrom[from].inc(),
    refreshed: ({ outcome, durationMs, messages, duplicates }) => {
      refreshes.inc({ outcome })
      refreshDurations.observe(durationMs / 1000)
      if (outcome !== 'changed') return
      priced.inc(messages)
      duplicateEntries.inc(duplicates.length)
    },
  }

  return {
    observer,
    observeCall: ({ call, outcome, durationMs }: { call: string; outcome: string; durationMs: number }): void => {
      upstreamCalls.inc({ call, outcome })
      upstreamDurations.observe({ call }, durationMs / 1000)
    },
    observeRequest: requestObserver(requests, durations),
    contentType: registry.contentType,
    text: (): Promise<string> => registry.metrics(),
  }
}

/** Looks the labels' counters up once for each combination: this runs at every request. */
const requestObserver = (
  requests: Counter<'method' | 'route' | 'status'>,
  durations: Histogram<'route'>,
): ((method: string, route: string, status: number, durationMs: number) => void) => {
  const children = new Map<string, { readonly inc: () => void; readonly observe: (seconds: number) => void }>()
  return (method, route, status, durationMs) => {
    const key = `${method} ${status} ${route}`
    let child = children.get(key)
    if (child === undefined) {
      const counter = requests.labels(method, route, String(status))
      const duration = durations.labels(route)
      child = { inc: () => counter.inc(), observe: (seconds) => duration.observe(seconds) }
      children.set(key, child)
    }
    child.inc()
    child.observe(durationMs / 1000)
  }
}
