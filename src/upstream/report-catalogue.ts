/**
 * Fetches and caches what reports cost. A bounded number of requests run at a time, and concurrent callers share the request
 * for the same report. A report that does not exist is cached too, for a shorter time. A listing can name hundreds of
 * thousands of reports, so a queued report is only an entry in a list: it has no promise, timer or error of its own.
 */
import type { Deadline, Freshness, ReportLookup, Validators } from '#current-period/copilot-service.ts'
import { parseJson } from '#formats/json-listing.ts'
import { elapsedMs, type MonotonicClock } from '#model/clock.ts'
import { UpstreamError } from '#model/errors.ts'
import type { Id, Report } from '#model/report.ts'
import { createTimedCache } from '#model/timed-cache.ts'
import type { BodyReader, HttpClient } from './http-client.ts'
import { parseReport } from './schemas.ts'
import { conditionsOf, validatorsOf } from './validators.ts'

export type ReportCatalogueSettings = {
  readonly reportTtlMs: number
  readonly missingTtlMs: number
  /** How many reports are requested at the same time. */
  readonly concurrency: number
}

type Needs = ReportCatalogueSettings & {
  readonly client: HttpClient
  readonly now: MonotonicClock
}

/** `reports` of a lookup can throw UpstreamError. */
export const createReportCatalogue = ({ client, now, reportTtlMs, missingTtlMs, concurrency }: Needs) => {
  const known = createTimedCache<Id, Known>({ lifetimeMs: reportTtlMs, entriesMin: CACHED_MIN, now })
  const requested = new Map<Id, Promise<Report | undefined>>()
  /** Lookups with queued reports. They take turns, so a long one does not hold up the others. */
  const waiting = new Set<Waiting>()
  let running = 0
  let isResting = false

  const request = async (id: Id, deadline: Deadline): Promise<Report | undefined> => {
    const before = known.getStale(id)
    const answer = await client.get({
      kind: 'report',
      path: pathOf(id),
      conditions: conditionsOf(before?.validators),
      mayBeMissing: true,
      deadline,
      start: () => readReport(id),
    })
    const report = answer.status === 200 ? answer.body : answer.status === 304 ? before?.report : undefined
    const validators = answer.status === 200 ? validatorsOf(answer.headers) : before?.validators
    if (report === undefined) known.set(id, { report, validators: undefined }, missingTtlMs)
    else known.set(id, { report, validators })
    return report
  }

  const requestOnce = (id: Id, deadline: Deadline): Promise<Report | undefined> => {
    const pending = requested.get(id)
    if (pending !== undefined) return pending
    running++
    const answer = request(id, deadline).finally(() => {
      requested.delete(id)
      running--
      requestNext()
    })
    requested.set(id, answer)
    return answer
  }

  const recall = (id: Id, { refetch }: Freshness): Known | undefined => (refetch ? undefined : known.get(id))

  /**
   * Starts as many requests as the limit allows. Reports answered from the cache start no request, so without a limit of
   * their own, 100,000 of them would block the event loop: after `ANSWERS_A_TURN` steps, other work runs first.
   */
  const requestNext = (): void => {
    if (isResting) return
    for (let count = 0; running < concurrency; count++) {
      const [next] = waiting
      if (next === undefined) return
      if (count === ANSWERS_A_TURN) {
        isResting = true
        setImmediate(() => {
          isResting = false
          requestNext()
        })
        return
      }
      waiting.delete(next)
      if (next.requestOne()) waiting.add(next)
    }
  }

  return (deadline: Deadline, how: Freshness = CACHE_ALLOWED): ReportLookup => {
    const answers = new Map<Id, Report | undefined>()
    const wanted = new Set<Id>()
    let queue: Id[] = []
    let next = 0
    let failed: { readonly error: unknown } | undefined
    let timer: NodeJS.Timeout | undefined
    let wake = (): void => {}

    /** Clears the queue at once, whatever its length. */
    const drop = (): void => {
      waiting.delete(turn)
      clearTimeout(timer)
      queue = []
      next = 0
    }

    const fail = (error: unknown): void => {
      failed ??= { error }
      drop()
      wake()
    }

    const failLate = (): void => {
      const id = queue[next]
      if (id === undefined) return
      const reason = `the deadline passed with ${answers.size} of ${wanted.size} reports received`
      fail(new UpstreamError({ call: `GET ${pathOf(id)}`, failure: 'timeout', reason, attempts: 0 }))
    }

    const settle = (id: Id, report: Report | undefined): void => {
      answers.set(id, report)
      if (answers.size === wanted.size) wake()
    }

    const turn: Waiting = {
      requestOne: () => {
        if (now() >= deadline) failLate()
        const id = queue[next++]
        if (id === undefined) return false
        const entry = recall(id, how)
        if (entry !== undefined) settle(id, entry.report)
        else requestOnce(id, deadline).then((report) => settle(id, report), fail)
        if (next < queue.length) return true
        drop()
        return false
      },
    }

    return {
      want: (id) => {
        if (failed !== undefined || wanted.has(id)) return
        wanted.add(id)
        const entry = recall(id, how)
        if (entry !== undefined) {
          settle(id, entry.report)
          return
        }
        if (queue.length === 0) timer = setTimeout(failLate, Math.max(0, elapsedMs(now(), deadline))).unref()
        queue.push(id)
        waiting.add(turn)
        requestNext()
      },
      reports: async () => {
        if (failed === undefined && answers.size < wanted.size) {
          await new Promise<void>((resolve) => {
            wake = resolve
          })
        }
        if (failed !== undefined) throw failed.error
        return answers
      },
      cancel: drop,
    }
  }
}

type Waiting = {
  /** Requests the next report. Returns whether more are queued. */
  readonly requestOne: () => boolean
}

const ANSWERS_A_TURN = 2000
const CACHE_ALLOWED: Freshness = { refetch: false }

const pathOf = (id: Id): string => `/reports/${encodeURIComponent(id)}`

type Known = { readonly report: Report | undefined; readonly validators: Validators | undefined }

/** At most twice as many are kept: see `createTimedCache`. */
const CACHED_MIN = 100_000

const readReport = (requested: Id): BodyReader<Report> => {
  const parts: Uint8Array[] = []
  return {
    push: (chunk) => parts.push(chunk),
    end: () => parseReport(parseJson(parts, 'the report'), requested),
  }
}
