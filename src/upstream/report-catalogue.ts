/**
 * What reports cost: each asked for once, a bounded number at a time, and remembered; that there is no such report is
 * remembered for a shorter time. Whoever asks while it is being asked for waits for the same answer. A listing may name
 * hundreds of thousands: what waits to be asked for is an entry in a list, without a promise, a timer or an error of its own.
 */
import type { Deadline, Freshness, ReportLookup, Validators } from '#metering/ports.ts'
import { elapsedMs, laterBy, type MonotonicClock, type MonotonicMs } from '#model/clock.ts'
import { UpstreamError } from '#model/errors.ts'
import type { Id, Report } from '#model/report.ts'
import type { BodyReader, HttpClient } from './http-client.ts'
import { parseJson } from './json-listing.ts'
import { parseReport } from './schemas.ts'
import { conditionsOf, validatorsOf } from './validators.ts'

export type ReportCatalogueSettings = {
  readonly reportTtlMs: number
  readonly missingTtlMs: number
  /** Reports asked for at the same time. */
  readonly concurrency: number
}

type Needs = ReportCatalogueSettings & {
  readonly client: HttpClient
  readonly now: MonotonicClock
}

/** Throws UpstreamError from `reports`. */
export const createReportCatalogue = ({ client, now, reportTtlMs, missingTtlMs, concurrency }: Needs) => {
  const known = createMemory()
  const asked = new Map<Id, Promise<Report | undefined>>()
  /** Lookups of which something waits, each of which has its turn: a long one holds up no other. */
  const waiting = new Set<Waiting>()
  let running = 0
  let isResting = false

  const ask = async (id: Id, deadline: Deadline): Promise<Report | undefined> => {
    const before = known.get(id)
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
    known.set(id, {
      report,
      until: laterBy(now(), report === undefined ? missingTtlMs : reportTtlMs),
      validators: report === undefined ? undefined : validators,
    })
    return report
  }

  const askOnce = (id: Id, deadline: Deadline): Promise<Report | undefined> => {
    const pending = asked.get(id)
    if (pending !== undefined) return pending
    running++
    const answer = ask(id, deadline).finally(() => {
      asked.delete(id)
      running--
      askNext()
    })
    asked.set(id, answer)
    return answer
  }

  const recall = (id: Id, { refetch }: Freshness): Known | undefined => {
    const entry = refetch ? undefined : known.get(id)
    return entry !== undefined && now() < entry.until ? entry : undefined
  }

  /** As much as may be asked for now; what needs no asking is many at a time, and then others have their turn. */
  const askNext = (): void => {
    if (isResting) return
    for (let count = 0; running < concurrency; count++) {
      const [next] = waiting
      if (next === undefined) return
      if (count === ANSWERS_A_TURN) {
        isResting = true
        setImmediate(() => {
          isResting = false
          askNext()
        })
        return
      }
      waiting.delete(next)
      if (next.askOne()) waiting.add(next)
    }
  }

  return (deadline: Deadline, how: Freshness = CACHE_ALLOWED): ReportLookup => {
    const answers = new Map<Id, Report | undefined>()
    const wanted = new Set<Id>()
    let queue: Id[] = []
    let next = 0
    let failed: { readonly error: unknown } | undefined
    let timer: NodeJS.Timeout | undefined
    let tell = (): void => {}

    /** What waits is forgotten at once, however much it is. */
    const drop = (): void => {
      waiting.delete(turn)
      clearTimeout(timer)
      queue = []
      next = 0
    }

    const fail = (error: unknown): void => {
      failed ??= { error }
      drop()
      tell()
    }

    const failLate = (): void => {
      const id = queue[next]
      if (id === undefined) return
      const reason = `no time was left to ask, with ${answers.size} of ${wanted.size} reports answered`
      fail(new UpstreamError({ call: `GET ${pathOf(id)}`, failure: 'timeout', reason, attempts: 0 }))
    }

    const settle = (id: Id, report: Report | undefined): void => {
      answers.set(id, report)
      if (answers.size === wanted.size) tell()
    }

    const turn: Waiting = {
      askOne: () => {
        if (now() >= deadline) failLate()
        const id = queue[next++]
        if (id === undefined) return false
        const entry = recall(id, how)
        if (entry !== undefined) settle(id, entry.report)
        else askOnce(id, deadline).then((report) => settle(id, report), fail)
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
        askNext()
      },
      reports: async () => {
        if (failed === undefined && answers.size < wanted.size) {
          await new Promise<void>((resolve) => {
            tell = resolve
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
  /** Asks for the next one; whether another waits. */
  readonly askOne: () => boolean
}

const ANSWERS_A_TURN = 2000
const CACHE_ALLOWED: Freshness = { refetch: false }

const pathOf = (id: Id): string => `/reports/${encodeURIComponent(id)}`

type Known = {
  readonly report: Report | undefined
  readonly until: MonotonicMs
  readonly validators: Validators | undefined
}

/**
 * Remembers the latest 100,000 at least and 200,000 at most: forgetting costs another call, never an answer. Two maps, of
 * which the older goes at once. To delete the oldest of one map each time takes longer the more were deleted before.
 */
const createMemory = () => {
  let young = new Map<Id, Known>()
  let old = young
  return {
    get: (id: Id): Known | undefined => young.get(id) ?? old.get(id),
    set: (id: Id, known: Known): void => {
      if (young.size >= REMEMBERED_MIN && !young.has(id)) {
        old = young
        young = new Map()
      }
      young.set(id, known)
    },
  }
}

const REMEMBERED_MIN = 100_000

const readReport = (asked: Id): BodyReader<Report> => {
  const parts: Uint8Array[] = []
  return {
    push: (chunk) => parts.push(chunk),
    end: () => parseReport(parseJson(parts, 'the report'), asked),
  }
}
