/** One call: retries where a repetition does no harm, limits of time, and errors that say what happened. */
import { ApiError, ConnectionError } from './errors.ts'
import type { Problem } from './types.ts'

export type CallOptions = {
  /** Ends the call, and what it waits for, with the signal's reason. */
  readonly signal?: AbortSignal | undefined
}

export type HttpOptions = {
  /** Where the service is, such as `http://127.0.0.1:8000`; in a page of the service itself it may be left out. */
  readonly baseUrl?: string | undefined
  /** An API key. In a browser, sign in instead: a key does not belong into a page. */
  readonly key?: string | undefined
  /** Attempts in all where the service fails or cannot be reached; 3 where nothing is said, 1 for no retries. */
  readonly attempts?: number | undefined
  /** Milliseconds that one attempt may take until its whole answer is there; 30,000 where nothing is said. */
  readonly timeoutMs?: number | undefined
  /** What sends the requests, in place of the `fetch` of the platform. */
  readonly fetch?: typeof fetch | undefined
}

export type Call = {
  readonly method: 'GET' | 'POST' | 'DELETE'
  readonly path: string
  readonly query?: Readonly<Record<string, string | number | undefined>> | undefined
  readonly body?: unknown
  /** Whether sending it twice is the same as sending it once. */
  readonly isRepeatable: boolean
  readonly signal?: AbortSignal | undefined
}

export type Send = (call: Call) => Promise<{ readonly body: unknown; readonly headers: Headers }>

type Answer = { readonly status: number; readonly headers: Headers; readonly text: string }

const FIRST_WAIT_MS = 200
const LONGEST_WAIT_MS = 5000
/** Who asks for more than this gets what it asks for, but not from here: the error says when. */
const LONGEST_RETRY_AFTER_MS = 30_000
/** What timers can count to. */
const LONGEST_TIMEOUT_MS = 2 ** 31 - 1

export const createSend = (options: HttpOptions): Send => {
  const { baseUrl = '', key, attempts = 3, timeoutMs = 30_000 } = options
  if (!(Number.isInteger(attempts) && attempts > 0)) throw new RangeError(`attempts must be 1 or more: ${attempts}`)
  if (!(timeoutMs > 0 && timeoutMs <= LONGEST_TIMEOUT_MS)) {
    throw new RangeError(`timeoutMs must be from 1 to ${LONGEST_TIMEOUT_MS}: ${timeoutMs}`)
  }
  const fetchAnswer = options.fetch ?? globalThis.fetch.bind(globalThis)

  /** What cannot be sent at all throws here, as the TypeError that it is, and not as a failure of the service. */
  const prepare = ({ method, path, query = {}, body }: Call): { readonly url: string; readonly init: RequestInit } => {
    const parameters = Object.entries(query).flatMap(([name, value]) =>
      value === undefined ? [] : [[name, String(value)]],
    )
    const search = parameters.length === 0 ? '' : `?${new URLSearchParams(parameters)}`
    const headers = {
      accept: 'application/json',
      ...(key !== undefined && { authorization: `Bearer ${key}` }),
      ...(body !== undefined && { 'content-type': 'application/json' }),
    }
    const init = { method, headers, ...(body !== undefined && { body: JSON.stringify(body) }) }
    const { url } = new Request(`${baseUrl.replace(/\/+$/, '')}${path}${search}`, init)
    return { url, init }
  }

  const attempt = async (url: string, init: RequestInit, signal: AbortSignal | undefined): Promise<Answer> => {
    signal?.throwIfAborted()
    // Not AbortSignal.any and .timeout: their timers outlive the attempt, and Node.js 20.0 does not have the first.
    const controller = new AbortController()
    const abort = (): void => controller.abort(signal?.reason)
    const expire = (): void => controller.abort(new DOMException('The time is over.', 'TimeoutError'))
    const timer = setTimeout(expire, timeoutMs)
    signal?.addEventListener('abort', abort, { once: true })
    try {
      const response = await fetchAnswer(url, { ...init, signal: controller.signal })
      return { status: response.status, headers: response.headers, text: await response.text() }
    } catch (cause) {
      signal?.throwIfAborted()
      const isLate = controller.signal.aborted
      const reason = isLate ? `did not answer within ${timeoutMs / 1000} s` : 'could not be reached'
      throw new ConnectionError(`The service ${reason}.`, { cause: isLate ? controller.signal.reason : cause })
    } finally {
      clearTimeout(timer)
      signal?.removeEventListener('abort', abort)
    }
  }

  return async (call) => {
    const { url, init } = prepare(call)
    const attemptsMax = call.isRepeatable ? attempts : 1
    for (let count = 1; ; count++) {
      const isLast = count >= attemptsMax
      const answer = await attempt(url, init, call.signal).catch((error: unknown) => {
        if (isLast || !(error instanceof ConnectionError)) throw error
        return undefined
      })
      if (answer !== undefined && isOk(answer)) return { body: parsed(answer.text), headers: answer.headers }
      const asked = answer && retryAfterMs(answer.headers.get('retry-after'), Date.now())
      if (answer !== undefined && (isLast || !isTransient(answer) || (asked ?? 0) > LONGEST_RETRY_AFTER_MS)) {
        throw toError(answer, asked)
      }
      await wait(Math.max(waitMs(count), asked ?? 0), call.signal)
    }
  }
}

const isOk = ({ status }: Answer): boolean => status >= 200 && status < 300

/** The request came too slowly, there were too many, or the service or one that it needs is not there now. */
const TRANSIENT: ReadonlySet<number> = new Set([408, 429, 502, 503, 504])
const isTransient = ({ status }: Answer): boolean => TRANSIENT.has(status)

/** Doubling, with jitter, so that many who failed together do not come back together. */
const waitMs = (count: number): number =>
  Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** (count - 1)) * (0.5 + Math.random() / 2)

/** `Retry-After` is a number of seconds or a date. */
export const retryAfterMs = (text: string | null, now: number): number | undefined => {
  if (text === null) return undefined
  const ms = /^\d+$/.test(text) ? Number(text) * 1000 : Date.parse(text) - now
  return Number.isNaN(ms) ? undefined : Math.max(0, ms)
}

const wait = (ms: number, signal: AbortSignal | undefined): Promise<void> =>
  new Promise((resolve, reject) => {
    const stop = (): void => {
      clearTimeout(timer)
      reject(signal?.reason)
    }
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', stop)
      resolve()
    }, ms)
    if (signal?.aborted === true) stop()
    else signal?.addEventListener('abort', stop, { once: true })
  })

const parsed = (text: string): unknown => {
  if (text === '') return undefined
  try {
    return JSON.parse(text)
  } catch (error) {
    throw new ConnectionError('What answered is not the service: its answer is not JSON.', { cause: error })
  }
}

const toError = ({ status, text }: Answer, asked: number | undefined): Error => {
  try {
    const problem = JSON.parse(text) as Partial<Problem> | null
    if (typeof problem?.detail === 'string' && problem.status === status) {
      return new ApiError(problem as Problem, asked)
    }
  } catch {
    // Something between says no in words of its own.
  }
  return new ConnectionError(`What answered is not the service: it said ${status} without a reason.`)
}
