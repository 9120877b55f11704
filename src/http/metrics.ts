/** The service's metrics, for Prometheus. */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'
import type { RenderingObserver } from '#answering/renderings.ts'
import type { ListingObserver } from '#current-period/copilot-service.ts'
import type { UsageSum } from '#current-period/listing.ts'
import type { RecordingOutcome } from '#current-period/upstream-recorder.ts'
import type { RepricingOutcome } from '#intake/background-repricing.ts'
import type { IntakeCounts } from '#intake/intake-results.ts'
import type { StoreNotice } from '#ledger/notices.ts'
import { toDecimal } from '#model/credits.ts'

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
  const requestDurations = new Histogram({
    name: 'http_request_duration_seconds',
    help: 'Time from a request to the end of its answer, by route.',
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
    help: 'Duration of an attempt to call the Copilot service, by call.',
    labelNames: ['call'],
    buckets: [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30],
    registers,
  })
  const refreshes = new Counter({
    name: 'copilot_credits_refreshes_total',
    help: 'Refreshes of the current period, by outcome (changed, unchanged, failed).',
    labelNames: ['outcome'],
    registers,
  })
  const refreshDurations = new Histogram({
    name: 'copilot_credits_refresh_duration_seconds',
    help: 'Duration of a refresh of the current period.',
    buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30],
    registers,
  })
  const served = new Counter({
    name: 'copilot_credits_usage_answers_total',
    help: 'Responses with the current usage, by origin (memory, refresh, stale, none).',
    labelNames: ['from'],
    registers,
  })
  for (const from of ['memory', 'refresh', 'stale', 'none']) served.inc({ from }, 0)
  const priced = new Counter({
    name: 'copilot_credits_messages_priced_total',
    help: 'Messages priced.',
    registers,
  })
  const duplicateEntries = new Counter({
    name: 'copilot_credits_duplicate_entries_total',
    help: 'Identical repetitions of an entry within a listing; the entry was charged once.',
    registers,
  })

  const taken = new Counter({
    name: 'copilot_credits_messages_taken_total',
    help: 'Messages reported by clients, by outcome (accepted, unpriced, duplicate, conflict, rejected).',
    labelNames: ['outcome'],
    registers,
  })
  const receivedRecords = new Counter({
    name: 'copilot_credits_telemetry_records_total',
    help: 'Spans, log records and LiteLLM log entries received, by source, outcome (accepted, unpriced, duplicate, conflict, rejected, ignored) and reason: why it was ignored, or the rejected attribute or field.',
    labelNames: ['source', 'outcome', 'reason'],
    registers,
  })
  const unpriced = new Counter({
    name: 'copilot_credits_unpriced_messages_total',
    help: 'Messages recorded without a price, reported by clients or listed by the Copilot service: kept and not charged.',
    registers,
  })
  const repriced = new Counter({
    name: 'copilot_credits_unpriced_messages_charged_total',
    help: 'Messages without a price that were charged later, because a rate card was put in force or a report was added.',
    registers,
  })
  const repricingFailures = new Counter({
    name: 'copilot_credits_unpriced_failures_total',
    help: 'Failed attempts to charge messages without a price in the background. The next occasion or "reprice" tries again.',
    registers,
  })
  const recorded = new Counter({
    name: 'copilot_credits_upstream_recordings_total',
    help: 'Messages listed by the Copilot service, by outcome: recorded (accepted, amended), no longer listed when they could be recorded (lost), unrecorded at shutdown (abandoned). Also failed attempts to record (failed).',
    labelNames: ['outcome'],
    registers,
  })
  const notListedMessages = new Gauge({
    name: 'copilot_credits_not_listed_messages',
    help: 'Messages charged within the listed days or the current period but not listed by the Copilot service.',
    registers,
  })
  const notListedCredits = new Gauge({
    name: 'copilot_credits_not_listed_credits',
    help: 'Cost in credits, rounded, of the charged messages that the Copilot service does not list.',
    registers,
  })
  const longReadings = new Gauge({
    name: 'copilot_credits_long_readings',
    help: 'Long ledger reads in progress: large responses, hourly totals, filtered pages.',
    registers,
  })
  const renderings = new Gauge({
    name: 'copilot_credits_renderings',
    help: 'GET /usage responses from the ledger being rendered.',
    registers,
  })
  const renderedBytes = new Gauge({
    name: 'copilot_credits_rendered_bytes',
    help: 'Bytes of GET /usage responses from the ledger that are being rendered, being sent, or cached.',
    registers,
  })
  const rendered = new Counter({
    name: 'copilot_credits_renderings_total',
    help: 'GET /usage responses rendered from the ledger, by outcome (complete, abandoned, failed).',
    labelNames: ['outcome'],
    registers,
  })
  const observeRenderings: RenderingObserver = {
    longReadings: (underWay) => longReadings.set(underWay),
    renderings: ({ underWay, bytes }) => {
      renderings.set(underWay)
      renderedBytes.set(bytes)
    },
    rendered: (outcome) => rendered.inc({ outcome }),
  }
  const soundness = new Gauge({
    name: 'copilot_credits_database_sound',
    help: 'Result of the last full database check: 1 if sound, 0 if damaged, -1 if none has finished yet.',
    registers,
  })
  soundness.set(-1)
  const observer: ListingObserver = {
    served: (from) => served.inc({ from }),
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
    observeRenderings,
    observeIntake: (counts: Readonly<IntakeCounts>): void => {
      for (const [outcome, count] of Object.entries(counts)) if (count > 0) taken.inc({ outcome }, count)
    },
    observeReceived: (source: string, outcome: string, reason: string, records: number): void => {
      if (records > 0) receivedRecords.inc({ source, outcome, reason }, records)
    },
    observeUnpriced: (reasons: ReadonlyMap<string, number>): void => {
      for (const messages of reasons.values()) unpriced.inc(messages)
    },
    observeRepricing: (outcome: RepricingOutcome): void => {
      if ('error' in outcome) repricingFailures.inc()
      else repriced.inc(outcome.priced)
    },
    observeRecording: (outcome: RecordingOutcome): void => {
      if ('error' in outcome) recorded.inc({ outcome: 'failed' })
      else if ('lost' in outcome) recorded.inc({ outcome: 'lost' }, outcome.lost)
      else if ('abandoned' in outcome) recorded.inc({ outcome: 'abandoned' }, outcome.abandoned)
      else {
        recorded.inc({ outcome: 'accepted' }, outcome.accepted)
        recorded.inc({ outcome: 'amended' }, outcome.amended)
      }
    },
    observeNotListed: ({ messages, credits }: UsageSum): void => {
      notListedMessages.set(messages)
      notListedCredits.set(Number(toDecimal(credits)))
    },
    observeStore: ({ isSound }: StoreNotice): void => {
      if (isSound !== undefined) soundness.set(isSound ? 1 : 0)
    },
    observeCall: ({ call, outcome, durationMs }: { call: string; outcome: string; durationMs: number }): void => {
      upstreamCalls.inc({ call, outcome })
      upstreamDurations.observe({ call }, durationMs / 1000)
    },
    /** `method` and `route` must come from bounded sets: each pair is a series of its own. */
    observeRequest: (method: string, route: string, status: number, durationMs: number): void => {
      requests.inc({ method, route, status })
      requestDurations.observe({ route }, durationMs / 1000)
    },
    contentType: registry.contentType,
    text: (): Promise<string> => registry.metrics(),
  }
}
