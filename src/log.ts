/** Structured logs (pino): JSON lines, or readable ones on a terminal. They hold ids and paths, never a message's text. */
import pino, { type Logger } from 'pino'
import pretty from 'pino-pretty'
import type { Config } from './config.ts'

export type Log = { readonly logger: Logger /** Writes what is buffered. */; readonly flush: () => void }

export const createLog = ({ logLevel, logFormat }: Pick<Config, 'logLevel' | 'logFormat'>): Log => {
  const level = { level: logLevel, base: null }
  const isPretty = logFormat === 'pretty' || (logFormat === 'auto' && process.stdout.isTTY)
  if (isPretty) {
    const stream = pretty({ colorize: process.stdout.isTTY, ignore: 'reqId', translateTime: 'HH:MM:ss', sync: true })
    return { logger: pino(level, stream), flush: () => {} }
  }
  // A line is written when a few of them have come together or a moment has passed: a write a request would cost more
  // than answering it.
  const destination = pino.destination({ dest: 1, sync: false, minLength: 4096 })
  const flushing = setInterval(() => destination.flush(), FLUSH_EVERY_MS)
  flushing.unref()
  const flush = (): void => {
    clearInterval(flushing)
    destination.flushSync()
  }
  return { logger: pino({ ...level, timestamp: pino.stdTimeFunctions.isoTime }, destination), flush }
}

const FLUSH_EVERY_MS = 200
