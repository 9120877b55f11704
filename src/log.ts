/** Structured logs (pino): JSON lines, or readable ones on a terminal. They hold ids and paths, never a message's text. */
import pino, { type Logger } from 'pino'
import pretty from 'pino-pretty'
import type { StoreObserver, UsageObserver } from '#metering/ports.ts'
import type { UpstreamRecorderNeeds } from '#metering/upstream-recorder.ts'
import { UpstreamError } from '#model/errors.ts'
import type { Config } from './config.ts'

export type Log = {
  readonly logger: Logger
  /** Writes what is buffered. */
  readonly flush: () => void
}

export const createLog = ({ logLevel, logFormat }: Pick<Config, 'logLevel' | 'logFormat'>): Log => {
  const level = { level: logLevel, base: null }
  const isPretty = logFormat === 'pretty' || (logFormat === 'auto' && process.stdout.isTTY)
  if (isPretty) {
    const stream = pretty({ colorize: process.stdout.isTTY, ignore: 'reqId', translateTime: 'HH:MM:ss', sync: true })
    return { logger: pino(level, stream), flush: () => {} }
  }
  const lines = bufferedLines()
  return { logger: pino({ ...level, timestamp: isoTime() }, lines), flush: lines.flush }
}

/** Also logs what an operator should hear of: a refresh that failed, even where a reader still got the last good answer. */
export const loggedObserver = (observer: UsageObserver, logger: Pick<Logger, 'warn' | 'error'>): UsageObserver => ({
  served: observer.served,
  refreshed: (refresh) => {
    observer.refreshed(refresh)
    const { outcome, error, duplicates } = refresh
    if (outcome === 'failed' && error instanceof UpstreamError) {
      logger.warn({ upstream: error.details }, `the period could not be brought up to date: ${error.message}`)
    } else if (outcome === 'failed') {
      logger.error({ err: error }, 'the period could not be brought up to date')
    } else if (outcome === 'changed' && duplicates.length > 0) {
      const ids = duplicates.slice(0, IDS_LOGGED)
      logger.warn({ duplicates: duplicates.length, ids }, 'the listing repeats entries; each is charged once')
    }
  },
})

const IDS_LOGGED = 10

type RecordingObserver = UpstreamRecorderNeeds['observe']

/** Also logs that what was seen upstream could not be written to the ledger: it is tried again with the next listing. */
export const loggedRecording =
  (observe: RecordingObserver, logger: Pick<Logger, 'error' | 'info'>): RecordingObserver =>
  (outcome) => {
    observe(outcome)
    if ('error' in outcome) logger.error({ err: outcome.error }, 'what the Copilot service lists could not be recorded')
    else if ('unkept' in outcome) logger.error(outcome, 'messages whose ids no database can keep were not recorded')
    else logger.info({ ...outcome }, 'recorded what the Copilot service lists')
  }

export const loggedStore =
  (observe: StoreObserver, logger: Pick<Logger, 'error' | 'warn' | 'info'>): StoreObserver =>
  (notice) => {
    observe(notice)
    logger[notice.severity](notice.message)
  }

/**
 * Collects lines and writes them to standard output when many have come together or a moment has passed: a write a request
 * would cost more than answering it. pino's own buffering was measured at twice the price of the line.
 */
const bufferedLines = () => {
  let text = ''
  let timer: NodeJS.Timeout | undefined
  const flush = (): void => {
    clearTimeout(timer)
    timer = undefined
    if (text !== '') process.stdout.write(text)
    text = ''
  }
  const write = (line: string): void => {
    text += line
    if (text.length > BUFFERED_CHARACTERS) flush()
    else timer ??= setTimeout(flush, FLUSH_AFTER_MS).unref()
  }
  return { write, flush }
}

const BUFFERED_CHARACTERS = 64 * 1024
const FLUSH_AFTER_MS = 100

/** pino's isoTime, but the text is made once for each millisecond and not for each line. */
const isoTime = (): (() => string) => {
  let at = 0
  let text = ''
  return () => {
    const now = Date.now()
    if (now !== at) {
      at = now
      text = `,"time":"${new Date(now).toISOString()}"`
    }
    return text
  }
}
