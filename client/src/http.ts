/** Sends one call: retries if that is safe, limits the time of each attempt, and turns failures into errors. */
import { ApiError, ConnectionError } from './errors.ts'
import type { Problem } from './types.ts'

export type CallOptions = {
  /** Aborts the call, including waits between retries. The call rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined
}

export type HttpOptions = {
  /** URL of the service, such as `http://127.0.0.1:8000`. Optional in a page that the service itself serves. */
  readonly baseUrl?: string | undefined
  /** An API key. In a browser, sign in instead: API keys do not belong in a web page. */
  readonly key?: string | undefined
  /** Maximum number of attempts per call; 3 by default, 1 for no retries. */
  readonly attempts?: number | undefined
  /** Time limit for one attempt, including the whole response, in milliseconds; 30,000 by default. */
  readonly timeoutMs?: number | undefined
  /** Replaces the platform's `fetch`. */
  readonly fetch?: typeof fetch | undefined
}

export type Call = {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  readonly path: string
  readonly query?: Readonly<Record<string, string | number | undefined>> | undefined
  readonly body?: unknown
  /** Whether the request is idempotent, so that it can be retried. */
  readonly isIdempotent: boolean
  readonly signal?: AbortSignal | undefined
}

export type Send = (call: Call) => Promise<{ readonly body: unknown; readonly headers: Headers }>

type Answer = { readonly status: number; readonly headers: Headers; readonly text: string }

const FIRST_WAIT_MS = 200
const LONGEST_WAIT_MS = 5000
/** If `Retry-After` is longer, the call fails instead of waiting, and the error has the time. */
const LONGEST_RETRY_AFTER_MS = 30_000
/** The longest delay of a timer. */
const LONGEST_TIMEOUT_MS = 2 ** 31 - 1

export const createSend = (options: HttpOptions): Send => {
  const { baseUrl = '', key, attempts = 3, timeoutMs = 30_000 } = options
  if (!(Number.isInteger(attempts) && attempts > 0))
    throw new RangeError(`attempts must be an integer of at least 1, not ${attempts}`)
  if (!(timeoutMs > 0 && timeoutMs <= LONGEST_TIMEOUT_MS)) {
    throw new RangeError(`timeoutMs must be more than 0 and at most ${LONGEST_TIMEOUT_MS}, not ${timeoutMs}`)
  }
  const fetchAnswer = options.fetch ?? globalThis.fetch.bind(globalThis)

  /** Throws TypeError for a request that cannot be sent, so that a mistake does not look like a failure of the service. */
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
    // Not `AbortSignal.timeout`, whose timer outlives the attempt, nor `AbortSignal.any`, which Node.js 20.0 lacks.
    const controller = new AbortController()
    const abort = (): void => controller.abort(signal?.reason)
    const expire = (): void => controller.abort(new DOMException('The attempt timed out.', 'TimeoutError'))
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
    const attemptsMax = call.isIdempotent ? attempts : 1
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

/** Timed out, rate limited, or the service or its upstream is unavailable: worth a retry. */
const TRANSIENT: ReadonlySet<number> = new Set([408, 429, 502, 503, 504])
const isTransient = ({ status }: Answer): boolean => TRANSIENT.has(status)

/** Exponential backoff with jitter, so that clients that failed together do not retry together. */
const waitMs = (count: number): number =>
  Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** (count - 1)) * (0.5 + Math.random() / 2)

/** Parses `Retry-After`: a number of seconds or a date. */
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
    throw new ConnectionError('The response is not from Copilot Credits: it is not JSON.', { cause: error })
  }
}

const toError = ({ status, text }: Answer, asked: number | undefined): Error => {
  try {
    const problem = JSON.parse(text) as Partial<Problem> | null
    if (typeof problem?.detail === 'string' && problem.status === status) {
      return new ApiError(problem as Problem, asked)
    }
  } catch {
    // Not a problem document: a proxy in between, for example, sent an error page of its own.
  }
  const reason = `status ${status} without a problem document`
  return new ConnectionError(`The response is not from Copilot Credits: ${reason}.`, { retryAfterMs: asked })
}
