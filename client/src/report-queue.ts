/** Messages on their way to the service: in batches, in order, with retries, and at most so many at a time. */
import { ApiError, ConnectionError } from './errors.ts'
import type { Message, MessageResult } from './types.ts'

/** What kept a call from being charged, or does so for now. */
export type ReportProblem = {
  /**
   * - `delayed`: a request failed. The messages stay in the queue and are sent again.
   * - `dropped`: the queue is full, or the reporter ended before the service took the messages.
   * - `rejected`: the service refuses the message.
   * - `conflict`: the service has another message with this id, which stays.
   * - `no-usage`: the provider did not say what the call used.
   * - `no-fields`: the function that says whose call it is threw. The message goes out without its fields.
   */
  readonly kind: 'delayed' | 'dropped' | 'rejected' | 'conflict' | 'no-usage' | 'no-fields'
  readonly reason: string
  /** Empty for `no-usage` and `no-fields`. */
  readonly messages: readonly Message[]
  /** The error behind it. */
  readonly cause?: unknown
}

/** How many messages wait, were delivered, or were lost and why. */
export type ReportCounts = {
  readonly queued: number
  readonly delivered: number
  readonly dropped: number
  readonly rejected: number
  readonly conflicts: number
  /** Calls whose usage is unknown. */
  readonly withoutUsage: number
}

export type ReportQueue = {
  readonly add: (messages: readonly Message[]) => void
  /** Sends without waiting for more. Resolves when the service has what is in the queue now, or after the time. */
  readonly flush: (timeoutMs: number) => Promise<void>
  /** Drops what is left. */
  readonly clear: (reason: string) => void
  readonly counts: () => Omit<ReportCounts, 'withoutUsage'>
}

type Needs = {
  readonly post: (messages: readonly Message[], signal: AbortSignal) => Promise<readonly MessageResult[]>
  readonly tell: (problem: ReportProblem) => void
  readonly batchMax: number
  readonly queueMax: number
  /** How long the first message of a batch waits for others. */
  readonly waitMs: number
}

type Flush = { readonly upTo: number; readonly end: () => void }

export const createReportQueue = ({ post, tell, batchMax, queueMax, waitMs }: Needs): ReportQueue => {
  const queue: Message[] = []
  const flushes = new Set<Flush>()
  const count = { added: 0, delivered: 0, dropped: 0, rejected: 0, conflicts: 0 }
  let size = batchMax
  let failures = 0
  let pause = { until: 0, isAskedFor: false }
  let timer: ReturnType<typeof setTimeout> | undefined
  let sending: AbortController | undefined

  const add = (messages: readonly Message[]): void => {
    const taken = messages.slice(0, queueMax - queue.length)
    // Not as arguments of one call, of which there can be too many.
    for (const message of taken) queue.push(message)
    count.added += taken.length
    if (taken.length < messages.length) drop(messages.slice(taken.length), `The queue has ${queueMax} messages.`)
    plan()
  }

  const plan = (): void => {
    if (sending !== undefined || queue.length === 0) return
    const isUrgent = flushes.size > 0 || queue.length >= size
    if (timer !== undefined && !isUrgent) return
    clearTimeout(timer)
    timer = setTimeout(deliver, Math.max(pause.until - performance.now(), isUrgent ? 0 : waitMs))
    letExit(timer)
  }

  const deliver = async (): Promise<void> => {
    timer = undefined
    const batch = queue.slice(0, size)
    const controller = new AbortController()
    const { signal } = controller
    sending = controller
    try {
      const results = await post(batch, signal)
      if (!signal.aborted) settle(batch, results)
    } catch (error) {
      if (!signal.aborted) fail(batch, error)
    }
    // After an abort, another attempt may have begun.
    if (sending === controller) sending = undefined
    for (const flush of flushes) if (flush.upTo <= count.added - queue.length) flush.end()
    plan()
  }

  const settle = (batch: readonly Message[], results: readonly MessageResult[]): void => {
    queue.splice(0, batch.length)
    failures = 0
    size = Math.min(batchMax, size * 2)
    batch.forEach((message, index) => {
      const { status, field, reason } = results[index] as MessageResult
      if (status === 'rejected') refuse(message, `${field} ${reason}`)
      else if (status === 'conflict') {
        count.conflicts += 1
        tell({ kind: 'conflict', reason: 'The service has another message with this id.', messages: [message] })
      } else count.delivered += 1
    })
  }

  const fail = (batch: readonly Message[], cause: unknown): void => {
    const reason = cause instanceof Error ? cause.message : String(cause)
    if (!isAboutContent(cause)) {
      failures += 1
      const asked = cause instanceof ApiError || cause instanceof ConnectionError ? cause.retryAfterMs : undefined
      pause = { until: performance.now() + pauseMs(failures, asked), isAskedFor: asked !== undefined }
      tell({ kind: 'delayed', reason, messages: batch, cause })
    } else if (batch.length > 1) {
      // The others must not wait for the message at fault.
      size = Math.ceil(batch.length / 2)
    } else {
      queue.splice(0, 1)
      for (const message of batch) refuse(message, reason, cause)
    }
  }

  const refuse = (message: Message, reason: string, cause?: unknown): void => {
    count.rejected += 1
    tell({ kind: 'rejected', reason, messages: [message], ...(cause !== undefined && { cause }) })
  }

  const drop = (messages: readonly Message[], reason: string): void => {
    count.dropped += messages.length
    tell({ kind: 'dropped', reason, messages })
  }

  const flush = (timeoutMs: number): Promise<void> =>
    new Promise((resolve) => {
      // Holds the process until it ends, unlike the other timers.
      const deadline = setTimeout(() => own.end(), timeoutMs)
      const own: Flush = {
        upTo: count.added,
        end: () => {
          clearTimeout(deadline)
          flushes.delete(own)
          resolve()
        },
      }
      flushes.add(own)
      failures = 0
      if (!pause.isAskedFor) pause = { until: 0, isAskedFor: false }
      if (queue.length === 0) own.end()
      plan()
    })

  const clear = (reason: string): void => {
    clearTimeout(timer)
    timer = undefined
    sending?.abort()
    sending = undefined
    const left = queue.splice(0)
    if (left.length > 0) drop(left, reason)
    for (const each of flushes) each.end()
  }

  const counts = (): Omit<ReportCounts, 'withoutUsage'> => {
    const { added: _, ...rest } = count
    return { queued: queue.length, ...rest }
  }

  return { add, flush, clear, counts }
}

/** What is neither an answer nor a failure to get one comes from a message that JSON cannot hold. */
const isAboutContent = (error: unknown): boolean =>
  error instanceof ApiError ? error.status === 400 || error.status === 413 : !(error instanceof ConnectionError)

const FIRST_PAUSE_MS = 500
const LONGEST_PAUSE_MS = 30_000
/** A service that asks for more is not believed. */
const LONGEST_RETRY_AFTER_MS = 300_000

/** Exponential with jitter, so that processes that failed together do not return together. */
const pauseMs = (failures: number, asked: number | undefined): number => {
  const own = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** (failures - 1)) * (0.5 + Math.random() / 2)
  return Math.max(own, Math.min(asked ?? 0, LONGEST_RETRY_AFTER_MS))
}

/** Node.js waits for timers before it exits, unless told otherwise. */
const letExit = (timer: unknown): void => (timer as { readonly unref?: () => void }).unref?.()
