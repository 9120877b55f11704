/** What does the digest of a message cost, and what would it cost with `createHmac` instead of RFC 2104 written out? */
import { createHmac } from 'node:crypto'
import { canonicalContent, createContentDigest } from '../src/intake/content-digest.ts'
import { DIGEST_BYTES } from '../src/model/usage-record.ts'
import type { Report } from './report.ts'
import { benchTexts } from './texts.ts'
import { compareInTurns, cpuOfRuns } from './turns.ts'

const ROUNDS = 40
const MESSAGES = 20_000

export const benchContentDigest = async (report: Report): Promise<void> => {
  const { source, texts } = benchTexts()
  const messages = texts.slice(0, MESSAGES).map((text, id) => ({ id, text, timestamp: '2024-05-01T00:00:00.000Z' }))
  const key = 'k'.repeat(43)
  const digest = createContentDigest(key)
  const messageAt = (time: number) => messages[time] as (typeof messages)[number]
  report.heading(`The digest of a message: ${messages.length} ${source}, ${ROUNDS} rounds`)
  await compareInTurns(report, 'content digest', ROUNDS, {
    'RFC 2104 written out': () => cpuOfRuns(messages.length, (time) => digest(messageAt(time))),
    createHmac: () =>
      cpuOfRuns(messages.length, (time) =>
        createHmac('sha256', key)
          .update(canonicalContent(messageAt(time)))
          .digest()
          .subarray(0, DIGEST_BYTES),
      ),
  })
}
