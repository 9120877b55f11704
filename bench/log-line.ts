/** What does the log line of a request cost, and what would pino's line and pino's buffer cost? */
import { mkdtempSync, openSync, rmSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pino from 'pino'
import { createLog } from '../src/log.ts'
import type { Report } from './report.ts'
import { compareInTurns, cpuOfRuns } from './turns.ts'

const ROUNDS = 40
const LINES = 50_000

export const benchLogLine = async (report: Report): Promise<void> => {
  const folder = mkdtempSync(join(tmpdir(), 'copilot-credits-bench-'))
  const path = join(folder, 'log')
  const file = openSync(path, 'a')
  const fields = (time: number) => ({
    reqId: '0b6f0d2e-6f1c-4f5e-9d55-3c1f8d7f0c11',
    method: 'GET',
    path: '/usage',
    status: 200,
    ms: (time % 100) / 100,
  })
  const { logger, answered, flush } = createLog(
    { logLevel: 'info', logFormat: 'json' },
    { write: (text) => writeSync(file, text) },
  )
  const pinoTo = (options: Parameters<typeof pino.destination>[0]) => {
    const destination = pino.destination(options)
    const own = pino({ base: null, timestamp: pino.stdTimeFunctions.isoTime }, destination)
    return () => {
      const cpu = cpuOfRuns(LINES, (time) => own.info(fields(time), 'answered'))
      destination.flushSync()
      return cpu
    }
  }
  report.heading(`The log line of a request, written to a file: ${LINES} lines, ${ROUNDS} rounds`)
  await compareInTurns(report, 'log line', ROUNDS, {
    'our line, our buffer': () => {
      const cpu = cpuOfRuns(LINES, (time) => answered(fields(time)))
      flush()
      return cpu
    },
    "pino's line, our buffer": () => {
      const cpu = cpuOfRuns(LINES, (time) => logger.info(fields(time), 'answered'))
      flush()
      return cpu
    },
    "pino's line, pino's buffer of 16 kB": pinoTo({ dest: path, sync: true, minLength: 16_000 }),
    "pino's line, pino's buffer of 4 kB": pinoTo({ dest: path, sync: true, minLength: 4000 }),
    "pino's line, a write for each": pinoTo({ dest: path, sync: true }),
  })
  rmSync(folder, { recursive: true })
}
