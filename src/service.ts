/** The composition: the one file that knows every adapter. */
import type { UsageLine } from '#model/usage-line.ts'
import type { Config } from './config.ts'
import { type CurrentUsage, createCurrentUsage } from './metering/current-usage.ts'
import type { CurrentPeriodSource, Progress, UsageObserver } from './metering/ports.ts'
import { standardRateCard } from './rating/rate-card.ts'
import { createFileSource, type PeriodFiles } from './upstream/file-source.ts'
import type { CallAttempt } from './upstream/http-client.ts'
import { samplePeriod } from './upstream/sample/sample.ts'
import { createUpstream } from './upstream/upstream.ts'

export type ServiceNeeds<T> = {
  readonly config: Config
  /** A period in files, in place of the upstream. */
  readonly files?: PeriodFiles | undefined
  readonly progress?: Progress
  readonly render: (lines: Iterable<UsageLine>) => Promise<T>
  readonly observer: UsageObserver
  readonly observeCall: (attempt: CallAttempt) => void
  /** Milliseconds of a clock that never goes back. */
  readonly now: () => number
}

export type Service<T> = {
  readonly currentUsage: CurrentUsage<T>
  /** Whether the answers are of the bundled sample period. */
  readonly isSample: boolean
  readonly close: () => Promise<void>
}

export const createService = <T>(needs: ServiceNeeds<T>): Service<T> => {
  const { config, files, render, observer, observeCall, now, progress } = needs
  const { upstreamUrl } = config
  const source: CurrentPeriodSource =
    files !== undefined || upstreamUrl === undefined
      ? createFileSource(files ?? samplePeriod)
      : createUpstream({
          baseUrl: upstreamUrl,
          attemptTimeoutMs: config.upstreamAttemptTimeoutMs,
          attemptsMax: config.upstreamAttempts,
          bytesMax: config.upstreamMaxBytes,
          concurrency: config.upstreamConcurrency,
          reportTtlMs: config.reportTtlMs,
          missingTtlMs: config.reportMissingTtlMs,
          now,
          random: Math.random,
          observe: observeCall,
        })
  const currentUsage = createCurrentUsage({
    source,
    rateCard: standardRateCard,
    render,
    observer,
    now,
    maxAgeMs: config.upstreamMaxAgeMs,
    staleLimitMs: config.upstreamStaleLimitMs,
    timeoutMs: config.upstreamTimeoutMs,
    ...(progress && { progress }),
  })
  return { currentUsage, isSample: files === undefined && upstreamUrl === undefined, close: () => source.close() }
}

export { createSandbox } from './sandbox/sandbox.ts'
export type { PeriodFiles } from './upstream/file-source.ts'
export { samplePeriod } from './upstream/sample/sample.ts'
