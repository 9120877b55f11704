/**
 * What reports cost: each asked for once, a bounded number at a time, and remembered; that there is no such report is
 * remembered for a shorter time. Whoever asks while it is being asked for waits for the same answer.
 */
import type { Deadline, Freshness, Validators } from '#metering/ports.ts'
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
  readonly now: () => number
}

export const createReportCatalogue = ({ client, now, reportTtlMs, missingTtlMs, concurrency }: Needs) => {
  const known = new Map<Id, Known>()
  const asked = new Map<Id, Promise<Report | undefined>>()
  const waiting: (() => void)[] = []
  let running = 0

  const ask = async (id: Id, deadline: Deadline): Promise<Report | undefined> => {
    if (running >= concurrency) await new Promise<void>((resolve) => waiting.push(resolve))
    else running++
    try {
      if (now() >= deadline) {
        const reason = 'no time was left to ask'
        throw new UpstreamError({ call: `GET ${pathOf(id)}`, failure: 'timeout', reason, attempts: 0 })
      }
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
      remember(id, {
        report,
        until: now() + (report === undefined ? missingTtlMs : reportTtlMs),
        validators: report === undefined ? undefined : validators,
      })
      return report
    } finally {
      asked.delete(id)
      const next = waiting.shift()
      if (next === undefined) running--
      else next()
    }
  }

  const remember = (id: Id, next: Known): void => {
    known.delete(id)
    known.set(id, next)
    // The oldest go first. Forgetting costs another call, never an answer.
    for (const oldest of known.keys()) {
      if (known.size <= REMEMBERED_MAX) break
      known.delete(oldest)
    }
  }

  /** The report, or undefined where there is none. Throws UpstreamError. */
  return (id: Id, deadline: Deadline, { anew } = REMEMBERED_WILL_DO): Promise<Report | undefined> => {
    const entry = known.get(id)
    if (entry !== undefined && now() < entry.until && !anew) return Promise.resolve(entry.report)
    const pending = asked.get(id) ?? ask(id, deadline)
    asked.set(id, pending)
    return pending
  }
}

const REMEMBERED_MAX = 100_000
const REMEMBERED_WILL_DO: Freshness = { anew: false }

const pathOf = (id: Id): string => `/reports/${encodeURIComponent(id)}`

type Known = {
  readonly report: Report | undefined
  readonly until: number
  readonly validators: Validators | undefined
}

const readReport = (asked: Id): BodyReader<Report> => {
  const parts: Uint8Array[] = []
  return {
    push: (chunk) => parts.push(chunk),
    end: () => parseReport(parseJson(parts, 'the report'), asked),
  }
}
