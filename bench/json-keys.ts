/** What does it cost to refuse JSON in which an object has a key twice, compared with JSON.parse, which keeps the last value? */
import { readJson } from '../src/formats/json.ts'
import type { Report } from './report.ts'
import { benchTexts } from './texts.ts'
import { compareInTurns, cpuOfRuns } from './turns.ts'

const ROUNDS = 40
const MESSAGES = 1000
const BODIES = 20

export const benchJsonKeys = async (report: Report): Promise<void> => {
  const { source, texts } = benchTexts()
  const bodies = Array.from({ length: BODIES }, (_, body) => {
    const messages = texts.slice(body * MESSAGES, (body + 1) * MESSAGES).map((text, index) => ({
      id: body * MESSAGES + index,
      text,
      timestamp: '2024-05-01T00:00:00.000Z',
      ...(index % 4 === 0 && { report_id: 5392 }),
    }))
    return Buffer.from(JSON.stringify({ messages }))
  })
  const run = (read: (bytes: Buffer) => unknown) => () =>
    cpuOfRuns(BODIES, (time) => {
      read(bodies[time] as Buffer)
    }) / MESSAGES
  report.heading(`Reading a JSON body, per message: ${BODIES} bodies of ${MESSAGES} ${source}, ${ROUNDS} rounds`)
  await compareInTurns(report, 'JSON keys', ROUNDS, {
    '`readJson`: refuses a repeated key': run((bytes) => readJson(bytes)),
    '`JSON.parse`: keeps the last value': run((bytes) => JSON.parse(bytes.toString())),
    'a set of keys for each object': run((bytes) => parseWithSets(bytes.toString())),
  })
}

/** The alternative: finds the keys in the text, and looks up each one among the keys of its object. */
const parseWithSets = (text: string): unknown => {
  const open: Set<string>[] = []
  for (const [token, key] of text.matchAll(/"((?:[^"\\]|\\.)*)"(?=\s*:)|"(?:[^"\\]|\\.)*"|[{}]/g)) {
    if (token === '{') open.push(new Set())
    else if (token === '}') open.pop()
    else if (key !== undefined) {
      const keys = open.at(-1)
      const name = JSON.parse(token) as string
      if (keys?.has(name)) throw new Error('repeated key')
      keys?.add(name)
    }
  }
  return JSON.parse(text)
}
