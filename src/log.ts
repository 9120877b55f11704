/** Structured logs (pino): JSON lines, or readable ones on a terminal. They hold ids and paths, never a message's text. */
import pino, { type Logger } from 'pino'
import pretty from 'pino-pretty'
import type { UsageSum } from '#metering/listing.ts'
import type { StoreObserver, UsageObserver } from '#metering/ports.ts'
import type { UpstreamRecorderNeeds } from '#metering/upstream-recorder.ts'
import { toDecimal } from '#model/credits.ts'
import { UpstreamError } from '#model/errors.ts'
import type { Config } from './config.ts'
import type { Answered } from './http/app.ts'

export type Log = {
  readonly logger: Logger
  /** Logs an answered request. */
  readonly answered: (request: Answered) => void
  /** Writes what is buffered. */
  readonly flush: () => void
}

export const createLog = (
  { logLevel, logFormat }: Pick<Config, 'logLevel' | 'logFormat'>,
  output: Output = process.stdout,
): Log => {
  const level = { level: logLevel, base: null }
  const isPretty = logFormat === 'pretty' || (logFormat === 'auto' && process.stdout.isTTY)
  if (isPretty) {
    const stream = pretty({ colorize: process.stdout.isTTY, ignore: 'reqId', translateTime: 'HH:MM:ss', sync: true })
    const logger = pino(level, stream)
    return { logger, answered: (request) => logger.info(request, 'answered'), flush: () => {} }
  }
  const { write, flush } = bufferedLines(output)
  const timestamp = isoTime()
  const logger = pino({ ...level, timestamp }, { write })
  const answered: Log['answered'] = (request) => write(answeredLine(timestamp(), request))
  return { logger, answered: logger.isLevelEnabled('info') ? answered : () => {}, flush }
}

/** Where lines go: standard output, or what a test reads. */
export type Output = { readonly write: (text: string) => void }

/** The line that pino writes of the same fields, in less than half the time (bench/log-line.ts). Every request has one. */
const answeredLine = (time: string, { reqId, method, path, status, ms }: Answered): string =>
  `{"level":30${time},"reqId":${JSON.stringify(reqId)},"method":${JSON.stringify(method)},` +
  `"path":${JSON.stringify(path)},"status":${status},"ms":${ms},"msg":"answered"}\n`

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

/** Also logs what became of the messages that the Copilot service lists, if it is not what it should be. */
export const loggedRecording =
  (observe: RecordingObserver, logger: Pick<Logger, 'error' | 'info'>): RecordingObserver =>
  (outcome) => {
    observe(outcome)
    if ('error' in outcome) {
      const { error: err, waiting } = outcome
      logger.error({ err, waiting }, 'listed messages could not be recorded; trying again')
    } else if ('lost' in outcome) {
      logger.error(outcome, 'listed messages were never recorded: the Copilot service no longer lists them')
    } else if ('abandoned' in outcome) {
      logger.error(
        outcome,
        'leaving with listed messages that are not recorded; the next start takes them from the listing',
      )
    } else logger.info({ ...outcome }, 'recorded what the Copilot service lists')
  }

/** Also logs when the number of messages that are charged beside the listing has changed. */
export const loggedNotListed = (
  observe: (sum: UsageSum) => void,
  logger: Pick<Logger, 'warn' | 'info'>,
): ((sum: UsageSum) => void) => {
  let known = 0
  return (sum) => {
    observe(sum)
    const { messages } = sum
    if (messages === known) return
    known = messages
    const fields = { messages, credits: toDecimal(sum.credits) }
    if (messages === 0) logger.info(fields, 'every charged message is listed by the Copilot service again')
    else logger.warn(fields, 'messages are charged that the Copilot service does not list')
  }
}

export const loggedStore =
  (observe: StoreObserver, logger: Pick<Logger, 'error' | 'warn' | 'info'>): StoreObserver =>
  (notice) => {
    observe(notice)
    logger[notice.severity](notice.message)
  }

/**
 * Collects lines and writes them to standard output when many have come together or a moment has passed. A write for each
 * line costs many times the line, and pino's own buffer more than twice what this one does (bench/log-line.ts).
 */
const bufferedLines = (output: Output) => {
  let text = ''
  let timer: NodeJS.Timeout | undefined
  const flush = (): void => {
    clearTimeout(timer)
    timer = undefined
    if (text !== '') output.write(text)
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
