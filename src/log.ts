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
  const lines = bufferedLines()
  return { logger: pino({ ...level, timestamp: isoTime() }, lines), flush: lines.flush }
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
