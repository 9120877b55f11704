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
  /** Attempts in all where the service fails or cannot be reached; 3 where nothing is said. */
  readonly attempts?: number
  /** Milliseconds that one attempt may take until its whole answer is there; 30,000 where nothing is said. */
  readonly timeoutMs?: number
  readonly fetch?: typeof fetch
}

export type Request = {
  readonly method: 'GET' | 'POST' | 'DELETE'
  readonly path: string
  readonly query?: Readonly<Record<string, string | number | undefined>> | undefined
  readonly body?: unknown
  readonly signal?: AbortSignal | undefined
}

export type Send = (request: Request) => Promise<{ readonly body: unknown; readonly headers: Headers }>

const FIRST_WAIT_MS = 200
const LONGEST_WAIT_MS = 5000

export const createSend = (options: HttpOptions): Send => {
  const { baseUrl = '', key, attempts = 3, timeoutMs = 30_000 } = options
  const request = options.fetch ?? globalThis.fetch.bind(globalThis)

  const attempt = async ({ method, path, query = {}, body, signal }: Request) => {
    const limit = AbortSignal.timeout(timeoutMs)
    const parameters = Object.entries(query).flatMap(([name, value]) =>
      value === undefined ? [] : [[name, String(value)]],
    )
    const search = parameters.length === 0 ? '' : `?${new URLSearchParams(parameters)}`
    try {
      const response = await request(`${baseUrl.replace(/\/$/, '')}${path}${search}`, {
        method,
        headers: {
          accept: 'application/json',
          ...(key !== undefined && { authorization: `Bearer ${key}` }),
          ...(body !== undefined && { 'content-type': 'application/json' }),
        },
        ...(body !== undefined && { body: JSON.stringify(body) }),
        signal: signal === undefined ? limit : AbortSignal.any([signal, limit]),
      })
      return { response, text: await response.text() }
    } catch (error) {
      signal?.throwIfAborted()
      const reason = limit.aborted ? `did not answer within ${timeoutMs / 1000} s` : 'could not be reached'
      throw new ConnectionError(`The service ${reason}.`, { cause: error })
    }
  }

  return async (sent) => {
    const attemptsMax = sent.method === 'GET' ? attempts : 1
    for (let count = 1; ; count++) {
      const isLast = count >= attemptsMax
      const answer = await attempt(sent).catch((error: unknown) => {
        if (isLast || !(error instanceof ConnectionError)) throw error
        return undefined
      })
      if (answer?.response.ok) return { body: parsed(answer.text), headers: answer.response.headers }
      if (answer !== undefined && (isLast || !isTransient(answer.response.status))) throw toError(answer)
      await wait(waitMs(count, answer?.response.headers.get('retry-after')), sent.signal)
    }
  }
}

const isTransient = (status: number): boolean => status === 429 || status === 502 || status === 503 || status === 504

/** Jittered, doubling; what the service asks for comes first, within reason. */
const waitMs = (count: number, retryAfter: string | null | undefined): number => {
  const asked = Number(retryAfter ?? Number.NaN) * 1000
  const own = FIRST_WAIT_MS * 2 ** (count - 1) * (0.5 + Math.random() / 2)
  return Math.min(LONGEST_WAIT_MS, asked >= 0 ? Math.max(asked, own) : own)
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

const toError = ({ response, text }: { readonly response: Response; readonly text: string }): Error => {
  try {
    const problem = JSON.parse(text) as Partial<Problem> | null
    if (typeof problem?.detail === 'string' && typeof problem.status === 'number') {
      return new ApiError(problem as Problem)
    }
  } catch {
    // Something between says no in words of its own.
  }
  return new ConnectionError(`What answered is not the service: it said ${response.status} without a reason.`)
}
