/**
 * Writes the response of `GET /usage` directly to Node's response. Two callers: the fast lane, which answers from memory before
 * Fastify sees the request, and Fastify's route, which waits for a refresh.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import acceptNegotiator from '@fastify/accept-negotiator'
import type { RenderedUsage } from '#current-period/rendered-usage.ts'
import { elapsedMs, type MonotonicClock } from '#model/clock.ts'
import { isNamed } from './entity-tags.ts'
import type { Encoding, UsageBody } from './usage-body.ts'

export type WriteUsage = (
  request: IncomingMessage,
  response: ServerResponse,
  answer: RenderedUsage<UsageBody>,
  requestId: string,
  notes?: UsageNotes,
) => void

/** Headers that say where the usage comes from, if it is not the default. */
export type UsageNotes = { readonly 'Usage-Source'?: string; readonly 'Usage-Not-Listed'?: string }

export type UsageAnswerOptions = {
  readonly now: MonotonicClock
  /** Whether the service is shutting down. If so, responses ask clients to close the connection. */
  readonly isClosing: () => boolean
}

export const createUsageWriter = ({ now, isClosing }: UsageAnswerOptions): WriteUsage => {
  const fixed = ['X-Content-Type-Options', 'nosniff', 'Cache-Control', 'private, no-cache', 'Vary', 'Accept-Encoding']

  return (request, response, { usage, lastConfirmed, from }, requestId, notes = {}) => {
    const { headers } = request
    const encoding = usage.byteLength < WORTH_COMPRESSING ? 'identity' : encodingFor(headers['accept-encoding'])
    const age = Math.max(0, Math.floor(elapsedMs(lastConfirmed, now()) / 1000))
    // Node.js writes a flat list of names and values as it is.
    const head = [...fixed, 'X-Request-Id', requestId, 'Cache-Status', CACHE_STATUS[from], 'Age', String(age)]
    head.push('ETag', `"${usage.tag}${ENCODING_MARKS[encoding]}"`)
    if (usage.unpriced > 0) head.push('Usage-Unpriced', String(usage.unpriced))
    for (const [name, note] of Object.entries(notes)) head.push(name, note)
    if (isClosing()) head.push('Connection', 'close')
    if (isNamed(headers['if-none-match'], usage.tag)) {
      response.writeHead(304, head).end()
      return
    }
    const bytes = usage.in(encoding)
    head.push('Content-Type', 'application/json; charset=utf-8')
    if (encoding !== 'identity') head.push('Content-Encoding', encoding)
    if (bytes.isComplete) head.push('Content-Length', String(bytes.byteLength))
    response.writeHead(200, head)
    if (request.method === 'HEAD') {
      response.end()
    } else if (bytes.whole !== undefined) {
      response.end(bytes.whole)
    } else {
      const stream = bytes.stream()
      stream.on('error', () => response.destroy())
      response.on('close', () => stream.destroy())
      stream.pipe(response)
    }
  }
}

/** Below this size, compression saves less than one packet. */
const WORTH_COMPRESSING = 1400

const ENCODING_MARKS = { identity: '', gzip: '-gzip', br: '-br' } as const

/** RFC 9211. */
const CACHE_STATUS = {
  memory: 'copilot-credits; hit',
  refresh: 'copilot-credits; fwd=stale; stored',
  stale: 'copilot-credits; hit; detail=stale',
} as const

const negotiator = new acceptNegotiator.Negotiator({ supportedValues: ['br', 'gzip', 'identity'] })

const encodingFor = (header: string | string[] | undefined): Encoding => {
  if (typeof header !== 'string') return 'identity'
  return (negotiator.negotiate(header) as Encoding | null) ?? 'identity'
}
