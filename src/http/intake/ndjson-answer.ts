/**
 * Answers an NDJSON body as a stream: a line for each message as soon as it is committed, and the counts at the end. Some
 * batches are under way at once, so that the next is priced while the last is synced; more are not read.
 */
import type { ServerResponse } from 'node:http'
import type { Intake, IntakeCounts, IntakeResult } from '#metering/intake.ts'
import { countsOf } from '#metering/intake.ts'
import type { Organization } from '#model/organization.ts'
import type { Problem } from '../schemas/problem.ts'
import { chunksUntil } from '../stopping.ts'
import { type LineBatch, type ParsedLine, readLines } from './ndjson.ts'
import { toResultText } from './result-text.ts'

export type NdjsonNeeds = {
  readonly intake: Intake
  readonly organization: Organization
  readonly body: AsyncIterable<Uint8Array>
  readonly response: ServerResponse
  /** Ends the answer in order although more of the body may come; its reason is the error. */
  readonly stop: AbortSignal
  readonly lineBytesMax: number
  /** Only what was not accepted is answered line by line. */
  readonly isMinimal: boolean
  readonly toProblem: (error: unknown) => Problem
}

const LINES_A_BATCH = 1000
const BATCHES_AT_ONCE = 3

export const answerNdjson = async (needs: NdjsonNeeds): Promise<void> => {
  const { intake, organization, body, response, stop, lineBytesMax, isMinimal, toProblem } = needs
  const counts: IntakeCounts = { accepted: 0, duplicate: 0, conflict: 0, rejected: 0 }

  const write = async (text: string): Promise<void> => {
    if (text === '' || response.destroyed) return
    if (!response.write(text)) await drained(response, stop)
  }

  const answer = async (batch: LineBatch, results: readonly IntakeResult[]): Promise<void> => {
    for (const [status, count] of Object.entries(countsOf(results))) counts[status as keyof IntakeCounts] += count
    let text = ''
    for (const [index, result] of results.entries()) {
      if (isMinimal && (result.status === 'accepted' || result.status === 'duplicate')) continue
      text += `${toResultText(result, `"line":${batch[index]?.line ?? 0},`)}\n`
    }
    await write(text)
  }

  /** Ends with the answer to the latest batch: answers are written in the order of the lines, each once it is there. */
  let turn: Promise<void> = Promise.resolve()
  const underWay: Promise<void>[] = []
  const takeNext = (batch: LineBatch): void => {
    const results = takeLines(intake, organization, batch)
    const before = turn
    turn = Promise.all([results, before]).then(([taken]) => answer(batch, taken))
    // Whoever waits for it hears of a failure; if another fails first, nobody waits.
    turn.catch(() => {})
    underWay.push(turn)
  }

  try {
    for await (const batch of readLines(chunksUntil(body, stop), { linesMax: LINES_A_BATCH, lineBytesMax })) {
      takeNext(batch)
      if (underWay.length >= BATCHES_AT_ONCE) await underWay.shift()
    }
    await turn
    await write(`${JSON.stringify({ done: true, ...counts })}\n`)
    response.end()
  } catch (error) {
    // What is under way is counted, unless it failed, which then is what went wrong.
    const failure = await turn.then(
      () => error,
      (first) => first,
    )
    // What was answered above is committed. What was not may be: to repeat it is safe.
    await write(`${JSON.stringify({ done: false, ...counts, problem: toProblem(failure) })}\n`)
    endBeforeBody(response)
  }
}

/**
 * Ends an answer whose request may still be arriving. The client gets an end of the stream and a moment to read it: to
 * close at once with something unread would reset the connection, and could take the answer with it.
 */
const endBeforeBody = (response: ServerResponse): void => {
  const { socket } = response
  if (socket === null) return
  const timer = setTimeout(() => socket.destroy(), LINGER_MS)
  socket.on('close', () => clearTimeout(timer))
  response.end(() => socket.end())
}

const LINGER_MS = 1000

const takeLines = async (
  intake: Intake,
  organization: Organization,
  batch: LineBatch,
): Promise<readonly IntakeResult[]> => {
  const entries = batch.filter(isEntry)
  const taken = await intake.take(
    organization,
    entries.map(({ entry }) => entry),
  )
  let next = 0
  return batch.map((line): IntakeResult => {
    if (isEntry(line)) return taken[next++] as IntakeResult
    const { field, reason } = line
    return { status: 'rejected', field, reason }
  })
}

const isEntry = (line: ParsedLine): line is Extract<ParsedLine, { readonly entry: unknown }> => 'entry' in line

/** Or closed, or about to end: a client that does not read is not waited for then. */
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
