/**
 * Answers an NDJSON body as a stream: a line for each message as soon as it is committed, and the counts at the end. Some
 * batches are under way at once, so that the next is priced while the last is synced; more are not read.
 */
import type { ServerResponse } from 'node:http'
import type { Intake, IntakeCounts, IntakeResult } from '#metering/intake.ts'
import { countsOf } from '#metering/intake.ts'
import type { Organization } from '#model/organization.ts'
import type { Problem } from '../schemas/problem.ts'
import { type LineBatch, type ParsedLine, readLines } from './ndjson.ts'
import { toResultText } from './result-text.ts'

export type NdjsonNeeds = {
  readonly intake: Intake
  readonly organization: Organization
  readonly body: AsyncIterable<Uint8Array>
  readonly response: ServerResponse
  readonly lineBytesMax: number
  /** Only what was not accepted is answered line by line. */
  readonly isMinimal: boolean
  readonly toProblem: (error: unknown) => Problem
}

const LINES_A_BATCH = 1000
const BATCHES_AT_ONCE = 3

export const answerNdjson = async (needs: NdjsonNeeds): Promise<void> => {
  const { intake, organization, body, response, lineBytesMax, isMinimal, toProblem } = needs
  const counts: IntakeCounts = { accepted: 0, duplicate: 0, conflict: 0, rejected: 0 }

  const write = async (text: string): Promise<void> => {
    if (text === '' || response.destroyed) return
    if (!response.write(text)) await drained(response)
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
    for await (const batch of readLines(body, { linesMax: LINES_A_BATCH, lineBytesMax })) {
      takeNext(batch)
      if (underWay.length >= BATCHES_AT_ONCE) await underWay.shift()
    }
    await turn
    await write(`${JSON.stringify({ done: true, ...counts })}\n`)
  } catch (error) {
    // Lines that came before the failure are answered before it. What was not answered may be committed: to repeat it is safe.
    await turn.catch(() => {})
    await write(`${JSON.stringify({ done: false, ...counts, problem: toProblem(error) })}\n`)
  } finally {
    response.end()
  }
}

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

const drained = (response: ServerResponse): Promise<void> =>
  new Promise((resolve) => {
    const done = (): void => {
      response.off('drain', done)
      response.off('close', done)
      resolve()
    }
    response.on('drain', done)
    response.on('close', done)
  })
