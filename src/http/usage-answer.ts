/**
 * Writes an answer of `GET /usage` to Node's own response. Both ways to it end here: the fast lane, which answers from
 * memory before Fastify has looked at the request, and Fastify's route, which waits for a refresh.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import acceptNegotiator from '@fastify/accept-negotiator'
import type { UsageAnswer } from '#metering/current-usage.ts'
import type { Encoding, UsageBody } from './usage-body.ts'

export type WriteUsage = (
  request: IncomingMessage,
  response: ServerResponse,
  answer: UsageAnswer<UsageBody>,
  requestId: string,
  notes?: UsageNotes,
) => void

/** Headers that say what the answer is of, where that is not plain. */
export type UsageNotes = { readonly 'Usage-Source'?: string; readonly 'Usage-Not-Listed'?: string }

export type UsageAnswerOptions = {
  /** Milliseconds of the clock that `asOf` is of. */
  readonly now: () => number
  /** Once it is, readers are asked to close their connections. */
  readonly isClosing: () => boolean
}

export const createUsageWriter = ({ now, isClosing }: UsageAnswerOptions): WriteUsage => {
  const fixed = ['X-Content-Type-Options', 'nosniff', 'Cache-Control', 'private, no-cache', 'Vary', 'Accept-Encoding']

  return (request, response, { usage, asOf, from }, requestId, notes = {}) => {
    const { headers } = request
    const encoding = usage.byteLength < WORTH_COMPRESSING ? 'identity' : encodingFor(headers['accept-encoding'])
    const age = Math.max(0, Math.floor((now() - asOf) / 1000))
    // Node.js writes a flat list of names and values as it is.
    const head = [...fixed, 'X-Request-Id', requestId, 'Cache-Status', CACHE_STATUS[from], 'Age', String(age)]
    head.push('ETag', `"${usage.tag}${ENCODING_MARKS[encoding]}"`)
    for (const [name, note] of Object.entries(notes)) head.push(name, note)
    if (isClosing()) head.push('Connection', 'close')
    if (matches(headers['if-none-match'], usage.tag)) {
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

/** Below this a compressed answer saves less than a packet. */
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

/** Weak comparison, as RFC 9110 asks of If-None-Match; the mark of an encoding does not matter for whether it changed. */
const matches = (header: string | undefined, tag: string): boolean =>
  header !== undefined && (header.trim() === '*' || header.split(',').some((each) => opaqueTag(each) === tag))

const opaqueTag = (entityTag: string): string =>
  entityTag
    .trim()
    .replace(/^W\//, '')
    .replace(/^"|"$/g, '')
    .replace(/-(gzip|br)$/, '')
