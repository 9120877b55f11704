/**
 * Answers an NDJSON body with an NDJSON stream: one line per message as soon as it is committed, and the counts at the end.
 * A few batches run at once, so that one is priced while another is synced. Beyond that, and while the intake gate has no
 * room, the body is not read, so the client waits.
 */
import type { ServerResponse } from 'node:http'
import type { Intake } from '#intake/intake.ts'
import type { IntakeCounts, IntakeResult, IntakeResults } from '#intake/intake-results.ts'
import { createOrderedBatches } from '#intake/ordered-batches.ts'
import { StoreBusy } from '#model/errors.ts'
import { bodyIncomplete } from '../bodies.ts'
import type { Caller } from '../caller.ts'
import { BUSY, type IntakeShare } from '../intake-gate.ts'
import type { Problem } from '../schemas/problem.ts'
import { chunksUntil, LineTimedOut } from '../stopping.ts'
import { type LineBatch, readLines } from './ndjson.ts'
import { toResultText } from './result-text.ts'

export type NdjsonNeeds = {
  readonly intake: Intake
  readonly caller: Caller
  readonly body: AsyncIterable<Uint8Array>
  readonly response: ServerResponse
  readonly share: IntakeShare
  /** Ends the response in order before the body ends. Its reason is the error to report. */
  readonly stop: AbortSignal
  readonly lineBytesMax: number
  /** Whether accepted messages and duplicates get no line. */
  readonly isMinimal: boolean
  readonly toProblem: (error: unknown) => Problem
}

const LINES_A_BATCH = 1000
const BATCHES_AT_ONCE = 3
/**
 * A client that writes whole buffers leaves a partial line until its next write, possibly for hours. A small part is kept
 * without a time limit, a larger part only for `PART_KEPT_MS`.
 */
const PART_KEPT_BYTES = 64 * 1024
const PART_KEPT_MS = 30_000
/** How long a partial line is kept if there is no room to read more of the stream. */
const PAUSED_MAX_MS = 10_000

export const answerNdjson = async (needs: NdjsonNeeds): Promise<void> => {
  const { intake, caller, body, response, share, stop, lineBytesMax, isMinimal, toProblem } = needs
  const { organization, principal } = caller
  const reporter = { source: 'messages', key: principal.key }
  const counts: IntakeCounts = { accepted: 0, duplicate: 0, conflict: 0, rejected: 0 }

  const write = async (text: string): Promise<void> => {
    if (text === '' || response.destroyed) return
    if (!response.write(text)) await drained(response, stop)
  }

  const answer = async (batch: LineBatch, taken: IntakeResults): Promise<void> => {
    const { numbers, rejections, bytes } = batch
    share.letGo(bytes)
    bytesUnderWay -= bytes
    for (const [status, count] of Object.entries(taken.counts) as [keyof IntakeCounts, number][]) {
      counts[status] = (counts[status] ?? 0) + count
    }
    counts.rejected += rejections.size
    let text = ''
    const entries = taken[Symbol.iterator]()
    for (const [index, line] of numbers.entries()) {
      const rejection = rejections.get(index)
      const result: IntakeResult = rejection
        ? { status: 'rejected', ...rejection }
        : (entries.next().value as IntakeResult)
      const isUsual = (result.status === 'accepted' || result.status === 'duplicate') && result.unpriced === undefined
      if (isMinimal && isUsual) continue
      text += `${toResultText(result, `"line":${line},`)}\n`
    }
    await write(text)
  }

  const batches = createOrderedBatches(BATCHES_AT_ONCE)
  let bytesUnderWay = 0

  const gone = new AbortController()
  const over = AbortSignal.any([stop, gone.signal])
  response.on('close', () => gone.abort(bodyIncomplete()))
  const bytesOfPart = (): number => share.held() - bytesUnderWay

  /** Waits for room. Gives up if this stream holds only a partial line: if every stream waited with one, none could continue. */
  const holdLater = async (bytes: number): Promise<void> => {
    while (!(await share.holdLater(bytes, PAUSED_MAX_MS, over))) {
      over.throwIfAborted()
      if (bytesUnderWay === 0 && bytesOfPart() > 0) throw new StoreBusy(BUSY)
    }
  }

  async function* chunksWithRoom(): AsyncGenerator<Uint8Array> {
    const late = new AbortController()
    let timer: NodeJS.Timeout | undefined
    try {
      for await (const chunk of chunksUntil(body, AbortSignal.any([over, late.signal]))) {
        clearTimeout(timer)
        if (!share.hold(chunk.length)) await holdLater(chunk.length)
        yield chunk
        if (bytesOfPart() > PART_KEPT_BYTES) timer = setTimeout(() => late.abort(new LineTimedOut()), PART_KEPT_MS)
      }
    } finally {
      clearTimeout(timer)
    }
  }

  try {
    const limits = { linesMax: LINES_A_BATCH, lineBytesMax, skipped: share.letGo }
    for await (const batch of readLines(chunksWithRoom(), limits)) {
      bytesUnderWay += batch.bytes
      await batches.add(intake.take(organization, batch.entries, reporter), (results) => answer(batch, results))
    }
    await batches.settled()
    await write(`${JSON.stringify({ done: true, ...counts })}\n`)
    response.end()
  } catch (error) {
    // Batches in progress still count. If one of them failed, its error came first and is the one to report.
    const failure = await batches.settled().then(
      () => error,
      (first) => first,
    )
    // Messages answered above are committed. Others may be, too, and are safe to repeat.
    await write(`${JSON.stringify({ done: false, ...counts, problem: toProblem(failure) })}\n`)
    endBeforeBody(response)
  }
}

/**
 * Ends a response whose request may still be arriving. The client gets the end of the stream and time to read it: closing
 * immediately with unread input would reset the connection, and the client could lose the response.
 */
const endBeforeBody = (response: ServerResponse): void => {
  const { socket } = response
  if (socket === null) return
  const timer = setTimeout(() => socket.destroy(), LINGER_MS)
  socket.on('close', () => clearTimeout(timer))
  response.end(() => socket.end())
}

const LINGER_MS = 1000

/** Resolves when the response can be written again, closes, or must stop, so that a client that does not read blocks nothing. */
const drained = (response: ServerResponse, stop: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    const done = (): void => {
      response.off('drain', done)
      response.off('close', done)
      stop.removeEventListener('abort', done)
      resolve()
    }
    response.on('drain', done)
    response.on('close', done)
    stop.addEventListener('abort', done)
    if (stop.aborted) done()
  })
