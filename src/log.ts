/** Structured logs (pino): JSON lines, or readable text on a terminal. They contain ids and paths, never a message's text. */
import pino, { type Logger } from 'pino'
import pretty from 'pino-pretty'
import type { RepricingOutcome } from '#intake/background-repricing.ts'
import { addReason, mostFrequentFirst } from '#intake/unpriced-reasons.ts'
import { toDecimal } from '#model/credits.ts'
import { UpstreamError } from '#model/errors.ts'
import { occasionally } from '#model/occasionally.ts'
import type { Config } from './config.ts'
import type { ListingObserver } from './current-period/copilot-service.ts'
import type { UsageSum } from './current-period/listing.ts'
import type { UpstreamRecorderNeeds } from './current-period/upstream-recorder.ts'
import type { Answered } from './http/app.ts'
import type { StoreObserver } from './ledger/notices.ts'

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

/** The line that pino would write for the same fields, in half the time (bench/log-line.ts). Every request has one. */
const answeredLine = (time: string, { reqId, method, path, status, ms }: Answered): string =>
  `{"level":30${time},"reqId":${JSON.stringify(reqId)},"method":${JSON.stringify(method)},` +
  `"path":${JSON.stringify(path)},"status":${status},"ms":${ms},"msg":"answered"}\n`

/** Also logs failed refreshes, which readers may not notice while the last good response is served. */
export const loggedObserver = (observer: ListingObserver, logger: Pick<Logger, 'warn' | 'error'>): ListingObserver => ({
  served: observer.served,
  refreshed: (refresh) => {
    observer.refreshed(refresh)
    const { outcome, error, duplicates } = refresh
    if (outcome === 'failed' && error instanceof UpstreamError) {
      logger.warn({ upstream: error.details }, `cannot refresh the current period: ${error.message}`)
    } else if (outcome === 'failed') {
      logger.error({ err: error }, 'cannot refresh the current period')
    } else if (outcome === 'changed' && duplicates.length > 0) {
      const ids = duplicates.slice(0, IDS_LOGGED)
      logger.warn(
        { duplicates: duplicates.length, ids },
        'the Copilot service lists messages more than once; each is charged once',
      )
    }
  },
})

const IDS_LOGGED = 10

type RecordingObserver = UpstreamRecorderNeeds['observe']

/** Also logs whether the messages that the Copilot service lists reach the ledger. */
export const loggedRecording =
  (observe: RecordingObserver, logger: Pick<Logger, 'error' | 'info'>): RecordingObserver =>
  (outcome) => {
    observe(outcome)
    if ('error' in outcome) {
      const { error: err, waiting } = outcome
      logger.error({ err, waiting }, 'cannot record listed messages in the ledger; retrying')
    } else if ('lost' in outcome) {
      logger.error(
        outcome,
        'messages are missing from the ledger: the Copilot service stopped listing them before they were recorded',
      )
    } else if ('abandoned' in outcome) {
      logger.error(
        outcome,
        'shutting down before all listed messages were recorded; the next start records those that are still listed',
      )
    } else logger.info({ ...outcome }, 'recorded listed messages')
  }

/** Also logs changes in the number of charged messages that the Copilot service does not list. */
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
    if (messages === 0) logger.info(fields, 'the Copilot service lists every charged message again')
    else logger.warn(fields, 'the ledger has charged messages that the Copilot service does not list')
  }
}

/** Also logs that messages arrive without a price, at most once a minute: how many, and the most frequent reason. */
export const loggedUnpriced = (
  observe: (reasons: ReadonlyMap<string, number>) => void,
  logger: Pick<Logger, 'warn'>,
): ((reasons: ReadonlyMap<string, number>) => void) => {
  const waiting = new Map<string, number>()
  const log = occasionally(UNPRICED_LOGGED_EVERY_MS, () => {
    const [[reason] = []] = mostFrequentFirst(waiting)
    const messages = [...waiting.values()].reduce((sum, each) => sum + each, 0)
    logger.warn({ messages, reason }, 'messages have no price: they are kept and not charged')
    waiting.clear()
  })
  return (reasons) => {
    observe(reasons)
    for (const [reason, messages] of reasons) addReason(waiting, reason, messages)
    log(undefined)
  }
}

const UNPRICED_LOGGED_EVERY_MS = 60_000

/** Also logs what became of messages without a price when they were tried again. */
export const loggedRepricing =
  (observe: (outcome: RepricingOutcome) => void, logger: Pick<Logger, 'error' | 'info'>) =>
  (outcome: RepricingOutcome): void => {
    observe(outcome)
    const { organizationId: organization } = outcome
    if ('error' in outcome) {
      const { error: err } = outcome
      logger.error({ err, organization }, 'cannot try again the messages without a price; "reprice" does')
    } else {
      const { tried, priced, unpriced, credits } = outcome
      const fields = { organization, tried, priced, unpriced, credits: toDecimal(credits) }
      logger.info(fields, 'tried again the messages without a price')
    }
  }

export const loggedStore =
  (observe: StoreObserver, logger: Pick<Logger, 'error' | 'warn' | 'info'>): StoreObserver =>
  (notice) => {
    observe(notice)
    logger[notice.severity](notice.message)
  }

/**
 * Collects lines and writes them to standard output when there are many, or after a moment. Writing each line by itself
 * costs many times as much as formatting it, and pino's own buffer costs more than twice as much as this one
 * (bench/log-line.ts).
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

/** pino's isoTime, formatted once per millisecond instead of once per line. */
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
