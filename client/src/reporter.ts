/** Reports calls of models in the background. None of it throws into the caller's work, or makes it wait. */
/// <reference lib="esnext.disposable" preserve="true" />
import { type AiSdkTelemetry, createTelemetry, type FieldsOfOperation } from './ai-sdk.ts'
import { ConnectionError } from './errors.ts'
import { createSend, type HttpOptions } from './http.ts'
import { createReportQueue, type ReportCounts, type ReportProblem } from './report-queue.ts'
import { messagesOf, type ReportFields } from './results.ts'
import type { Message, MessageResult } from './types.ts'

export type ReporterOptions = Omit<HttpOptions, 'baseUrl' | 'attempts'> & {
  /** URL of the service, such as `http://127.0.0.1:8000`. */
  readonly baseUrl: string
  /** Time limit for one attempt, in milliseconds; 10,000 by default. */
  readonly timeoutMs?: number | undefined
  /** Another organization than the key's, for operator keys. */
  readonly organization?: string | undefined
  /** Messages in one request; 100 by default. As soon as so many wait, they are sent. */
  readonly batchMax?: number | undefined
  /** How long a message waits for others, in milliseconds; 1,000 by default. */
  readonly waitMs?: number | undefined
  /** Messages that wait while the service is away; 10,000 by default. Further ones are dropped. */
  readonly queueMax?: number | undefined
  /** How long `flush` and the end of the process wait for the service, in milliseconds; 5,000 by default. */
  readonly flushMs?: number | undefined
  /** Called for each problem. What it throws is ignored. */
  readonly onProblem?: ((problem: ReportProblem) => void) | undefined
}

export type Reporter = AsyncDisposable & {
  /** Reports a result as `client.report` does, in the background. */
  readonly report: (result: object, fields?: ReportFields) => void
  /** Queues messages. */
  readonly add: (messages: readonly Message[]) => void
  /** An integration that reports each call of a model by the AI SDK. */
  readonly telemetry: (fields?: FieldsOfOperation) => AiSdkTelemetry
  /** Sends what is in the queue. Resolves when the service has it, or after `flushMs`, to the counts so far. Never rejects. */
  readonly flush: () => Promise<ReportCounts>
  readonly counts: () => ReportCounts
}

/**
 * Retries until the service answers: with exponential backoff, or when `Retry-After` says. That is safe, because a message is
 * charged once. Before a Node.js process exits by itself, it waits up to `flushMs` for the service. `process.exit()`, signals and edge
 * runtimes leave no time: await `flush` first, or declare the reporter with `await using`.
 *
 * Throws TypeError or RangeError for an option that cannot work.
 */
export const createReporter = (options: ReporterOptions): Reporter => {
  const { baseUrl, key, timeoutMs = 10_000, organization, onProblem, flushMs = 5000 } = options
  const { batchMax = 100, waitMs = 1000, queueMax = 10_000 } = options
  for (const [name, value] of Object.entries({ batchMax, queueMax })) {
    if (!(Number.isInteger(value) && value > 0))
      throw new RangeError(`${name} must be an integer of at least 1, not ${value}`)
  }
  for (const [name, value] of Object.entries({ waitMs, flushMs })) {
    if (!(value >= 0 && value < 2 ** 31)) throw new RangeError(`${name} must be from 0 to ${2 ** 31 - 1}, not ${value}`)
  }
  // A request that cannot be made would fail for every message.
  new Request(new URL(baseUrl), { headers: { authorization: `Bearer ${key}` } })
  const send = createSend({ ...options, timeoutMs, attempts: 1 })

  const post = async (messages: readonly Message[], signal: AbortSignal): Promise<readonly MessageResult[]> => {
    const { body } = await send({
      method: 'POST',
      path: '/v1/messages',
      query: { organization },
      body: { messages },
      isIdempotent: true,
      signal,
    })
    const { results } = (body ?? {}) as { readonly results?: readonly Partial<MessageResult>[] | null }
    if (Array.isArray(results) && results.length === messages.length && results.every(isResult)) return results
    throw new ConnectionError('The response is not from Copilot Credits: it does not have one result for each message.')
  }

  let withoutUsage = 0
  const tell = (problem: ReportProblem): void => {
    if (problem.kind === 'no-usage') withoutUsage += 1
    const callback = async (): Promise<void> => onProblem?.(problem)
    // Nobody can be told that the callback throws.
    callback().catch(() => undefined)
  }

  const queue = createReportQueue({ post, tell, batchMax, queueMax, waitMs })
  const telling = { add: queue.add, tell }

  /** Results that become messages, such as streams that have not ended. */
  const reading = new Set<Promise<void>>()
  const counts = (): ReportCounts => ({ ...queue.counts(), withoutUsage })

  const flush = async (): Promise<ReportCounts> => {
    const begin = performance.now()
    await within(flushMs, Promise.all(reading))
    await queue.flush(Math.max(0, flushMs - (performance.now() - begin)))
    return counts()
  }

  const end = async (): Promise<void> => {
    if (queue.counts().queued === 0 && reading.size === 0) return
    await flush()
    queue.clear(`The service did not take them within ${flushMs / 1000} s before the end.`)
  }

  const { process } = globalThis as { readonly process?: Partial<Process> }
  process?.on?.('beforeExit', end)
  return {
    add: queue.add,
    report: (result, fields = {}) => {
      const noUsage = (cause: Error): void => tell({ kind: 'no-usage', reason: cause.message, messages: [], cause })
      const read: Promise<void> = messagesOf(result, fields)
        .then(queue.add, noUsage)
        .finally(() => reading.delete(read))
      reading.add(read)
    },
    telemetry: (fields = {}) => createTelemetry(telling, fields),
    flush,
    counts,
    [Symbol.asyncDispose]: async () => {
      process?.off?.('beforeExit', end)
      await end()
    },
  }
}

/** Of Node.js. Other runtimes have none, or parts of it. */
type Process = {
  readonly on: (event: 'beforeExit', listener: () => void) => void
  readonly off: (event: 'beforeExit', listener: () => void) => void
}

const STATUSES: readonly unknown[] = ['accepted', 'unpriced', 'duplicate', 'conflict', 'rejected']
const isResult = (result: Partial<MessageResult> | null): boolean => STATUSES.includes(result?.status)

const within = (ms: number, work: Promise<unknown>): Promise<void> =>
  new Promise((resolve) => {
    const timer = setTimeout(resolve, ms)
    work.then(() => {
      clearTimeout(timer)
      resolve()
    })
  })
