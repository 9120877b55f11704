/**
 * Calls the Copilot service: a timeout per attempt and a deadline for the whole call, retries if another attempt can help, a
 * size limit, and keep-alive connections.
 */
import type { Readable } from 'node:stream'
import { setImmediate as letOthersRun } from 'node:timers/promises'
import { Agent, errors } from 'undici'
import type { Deadline, Progress } from '#current-period/copilot-service.ts'
import { MalformedDocument } from '#formats/json-listing.ts'
import { elapsedMs, laterBy, type MonotonicClock } from '#model/clock.ts'
import { UnbillableListing, UpstreamError, type UpstreamFailure } from '#model/errors.ts'
import { retryAfterMs, retryDelayMs } from './retry.ts'
import { MalformedAnswer } from './schemas.ts'

export type HttpClientSettings = {
  /** Its path, if it has one, is prefixed to the path of each call. */
  readonly baseUrl: URL
  readonly attemptTimeoutMs: number
  readonly attemptsMax: number
  readonly bytesMax: number
}

export type HttpClientNeeds = HttpClientSettings & {
  readonly now: MonotonicClock
  readonly random: () => number
  /** Called after every attempt, for metrics. */
  readonly observe: (attempt: CallAttempt) => void
}

export type CallAttempt = {
  readonly call: 'listing' | 'report'
  readonly outcome: 'ok' | 'not-modified' | 'not-found' | UpstreamFailure
  readonly durationMs: number
}

export type Call<T> = {
  readonly kind: CallAttempt['call']
  readonly path: string
  /** Headers that make the call conditional. If there are none, a 304 is an error. */
  readonly conditions: Readonly<Record<string, string>>
  /** Whether 404 is a valid response: it means that the report does not exist. */
  readonly mayBeMissing: boolean
  readonly deadline: Deadline
  readonly progress?: Progress | undefined
  /** Creates the reader for the body of a 200. Called once per attempt. */
  readonly start: () => BodyReader<T>
}

/**
 * Reads a response body. A MalformedDocument, MalformedAnswer or UnbillableListing that either method throws is a failed
 * attempt, which can be retried. Any other error ends the call.
 */
export type BodyReader<T> = {
  readonly push: (chunk: Uint8Array) => void
  readonly end: () => T
}

export type UpstreamResponse<T> =
  | { readonly status: 200; readonly body: T; readonly headers: ResponseHeaders }
  | { readonly status: 304 | 404 }

export type ResponseHeaders = Readonly<Record<string, string | string[] | undefined>>

export const createHttpClient = (needs: HttpClientNeeds) => {
  const { baseUrl, attemptTimeoutMs, attemptsMax, bytesMax, now, random, observe } = needs
  const agent = new Agent({ keepAliveTimeout: 30_000, headersTimeout: 0, bodyTimeout: 0 })
  const closing = new AbortController()
  const prefix = baseUrl.pathname.replace(/\/$/, '')

  const attempt = async <T>(call: Call<T>, timeoutMs: number): Promise<UpstreamResponse<T>> => {
    const signal = AbortSignal.any([AbortSignal.timeout(timeoutMs), closing.signal])
    const response = await agent
      .request({
        origin: baseUrl.origin,
        path: `${prefix}${call.path}`,
        method: 'GET',
        headers: { accept: 'application/json', 'user-agent': 'copilot-credits', ...call.conditions },
        signal,
      })
      .catch(throwBroken)
    const { statusCode: status, body } = response
    if (status !== 200) {
      // The body of another status is not used and nothing waits for it, but draining it keeps the connection reusable.
      body.dump({ limit: DUMPED_MAX, signal }).catch(() => body.destroy())
      if (status === 304 && Object.keys(call.conditions).length > 0) return { status }
      if (status === 404 && call.mayBeMissing) return { status }
      const header = response.headers['retry-after']
      throw new FailedStatus(status, retryAfterMs(typeof header === 'string' ? header : undefined, Date.now()))
    }
    const encoding = response.headers['content-encoding'] ?? 'identity'
    if (encoding !== 'identity') {
      giveUp(body)
      throw new MalformedAnswer(
        `the response has content-encoding ${JSON.stringify(encoding)}, which was not requested`,
      )
    }
    const header = response.headers['content-length']
    const total = header === undefined ? undefined : Number(header)
    if (total !== undefined && total > bytesMax) {
      giveUp(body)
      throw new TooLarge(bytesMax)
    }
    const reader = call.start()
    let bytes = 0
    let turnEnds = laterBy(now(), TURN_MS)
    for await (const chunk of chunksOf(body)) {
      // While more data is buffered, this loop never returns to the event loop by itself.
      if (now() > turnEnds) {
        await letOthersRun()
        turnEnds = laterBy(now(), TURN_MS)
      }
      bytes += chunk.length
      // Leaving the loop destroys the body and its connection.
      if (bytes > bytesMax) throw new TooLarge(bytesMax)
      reader.push(chunk)
      call.progress?.(bytes, total)
    }
    return { status, body: reader.end(), headers: response.headers }
  }

  /** Throws UpstreamError, or any error of the reader that is not a failed attempt. */
  const get = async <T>(call: Call<T>): Promise<UpstreamResponse<T>> => {
    for (let attempts = 1; ; attempts++) {
      const started = now()
      const observed = (outcome: CallAttempt['outcome']) =>
        observe({ call: call.kind, outcome, durationMs: elapsedMs(started, now()) })
      try {
        const leftMs = Math.max(1, Math.ceil(elapsedMs(started, call.deadline)))
        const answer = await attempt(call, Math.min(attemptTimeoutMs, leftMs))
        observed(answer.status === 200 ? 'ok' : answer.status === 304 ? 'not-modified' : 'not-found')
        return answer
      } catch (error) {
        const failed = classify(error)
        if (failed === undefined) throw error
        observed(failed.failure)
        const waitMs = Math.max(failed.retryAfterMs ?? 0, retryDelayMs(attempts, random()))
        const canRetry = failed.isWorthRetrying && attempts < attemptsMax && laterBy(now(), waitMs) < call.deadline
        if (!canRetry || closing.signal.aborted) throw toUpstreamError(call, failed, attempts, error)
        await sleep(waitMs, closing.signal)
      }
    }
  }

  const close = async (): Promise<void> => {
    closing.abort()
    await agent.destroy()
  }

  return { get, close }
}

export type HttpClient = ReturnType<typeof createHttpClient>

const TURN_MS = 10

/** How many bytes of an unused body to drain before closing the connection instead. */
const DUMPED_MAX = 64 * 1024

/** Closes the connection. The listener ignores the resulting error, which would otherwise end the process. */
const giveUp = (body: Readable): void => {
  body.on('error', () => {}).destroy()
}

class FailedStatus extends Error {
  readonly status: number
  readonly retryAfterMs: number | undefined

  constructor(status: number, waitMs: number | undefined) {
    super(`the response status was ${status}`)
    this.status = status
    this.retryAfterMs = waitMs
  }
}

class TooLarge extends Error {
  constructor(bytesMax: number) {
    super(`the response is larger than the limit of ${bytesMax} bytes`)
  }
}

/** Wraps anything the HTTP client throws: whatever the cause, no complete response arrived over this connection. */
class Broken extends Error {
  constructor(cause: unknown) {
    super('the HTTP client failed', { cause })
  }
}

/** An invalid argument is a bug of ours, not a broken connection, so it is thrown as it is. */
const throwBroken = (error: unknown): never => {
  throw error instanceof errors.InvalidArgumentError ? error : new Broken(error)
}

/** Wraps errors of the body itself. An error thrown by the loop that reads it does not reach this `catch`. */
async function* chunksOf(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  try {
    yield* body
  } catch (error) {
    throwBroken(error)
  }
}

type Failed = {
  readonly failure: UpstreamFailure
  readonly reason: string
  readonly isWorthRetrying: boolean
  readonly status?: number
  readonly retryAfterMs?: number
}

/** How the attempt failed, or undefined if the error is not the upstream's fault. */
const classify = (error: unknown): Failed | undefined => {
  if (error instanceof MalformedDocument || error instanceof MalformedAnswer || error instanceof UnbillableListing) {
    return { failure: 'bad-answer', reason: error.message, isWorthRetrying: true }
  }
  if (error instanceof TooLarge) return { failure: 'bad-answer', reason: error.message, isWorthRetrying: false }
  if (error instanceof FailedStatus) {
    const { status, message: reason } = error
    const isWorthRetrying = status === 429 || status === 408 || status >= 500
    const wait = error.retryAfterMs === undefined ? {} : { retryAfterMs: error.retryAfterMs }
    return { failure: 'status', reason, isWorthRetrying, status, ...wait }
  }
  return error instanceof Broken ? brokenBy(error.cause) : undefined
}

const brokenBy = (cause: unknown): Failed => {
  const { name, code } =
    cause instanceof Error ? (cause as NodeJS.ErrnoException) : { name: 'unknown', code: undefined }
  if (name === 'TimeoutError') {
    return { failure: 'timeout', reason: 'no complete response arrived in time', isWorthRetrying: true }
  }
  // The name or code says what happened. The error's message could quote the response.
  const what = name === 'AbortError' ? 'closing' : (code ?? name)
  const reason = what.startsWith('HPE_')
    ? `the response is not valid HTTP (${what})`
    : `the connection failed (${what})`
  return { failure: 'connection', reason, isWorthRetrying: true }
}

const toUpstreamError = (call: Call<unknown>, failed: Failed, attempts: number, cause: unknown): UpstreamError => {
  const { isWorthRetrying: _, ...details } = failed
  return new UpstreamError({ call: `GET ${call.path}`, attempts, ...details }, { cause })
}

/** Resolves early, without an error, when the client closes: the next attempt then fails at once. */
const sleep = (ms: number, signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    const timer = setTimeout(done, ms)
    signal.addEventListener('abort', done, { once: true })
    function done() {
      clearTimeout(timer)
      signal.removeEventListener('abort', done)
      resolve()
    }
  })
