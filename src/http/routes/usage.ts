/** `GET /usage`: what each message of the current billing period cost. */
import acceptNegotiator from '@fastify/accept-negotiator'
import type { FastifyPluginCallback, FastifyReply, FastifyRequest } from 'fastify'
import Type from 'typebox'
import type { CurrentUsage, UsageAnswer } from '#metering/current-usage.ts'
import { problemResponses } from '../schemas/responses.ts'
import type { Encoding, UsageBody } from '../usage-body.ts'

export type UsageRouteOptions = {
  readonly currentUsage: CurrentUsage<UsageBody>
  /** Milliseconds of the clock that `asOf` is of. */
  readonly now: () => number
  /** Said in the header `Usage-Source` where the answer is not of the operator's own messages. */
  readonly sourceNote: string | undefined
}

export const usageRoute: FastifyPluginCallback<UsageRouteOptions> = (app, options, done) => {
  const { currentUsage, now, sourceNote } = options

  const send = (request: FastifyRequest, reply: FastifyReply, answer: UsageAnswer<UsageBody>): FastifyReply => {
    const { usage } = answer
    const encoding = usage.byteLength < WORTH_COMPRESSING ? 'identity' : encodingFor(request.headers['accept-encoding'])
    const age = Math.max(0, Math.floor((now() - answer.asOf) / 1000))
    reply.headers({
      'cache-control': 'private, no-cache',
      'cache-status': CACHE_STATUS[answer.from],
      vary: 'accept-encoding',
      etag: `"${usage.tag}${ENCODING_MARKS[encoding]}"`,
      age,
    })
    if (sourceNote !== undefined) reply.header('usage-source', sourceNote)
    if (matches(request.headers['if-none-match'], usage.tag)) return reply.code(304).send()

    const bytes = usage.in(encoding)
    reply.type('application/json; charset=utf-8')
    if (encoding !== 'identity') reply.header('content-encoding', encoding)
    const { whole } = bytes
    if (whole !== undefined) return reply.send(whole)
    if (bytes.isComplete) reply.header('content-length', bytes.byteLength)
    return reply.send(bytes.stream())
  }

  app.get(
    '/usage',
    {
      schema: {
        operationId: 'getUsage',
        tags: ['Usage'],
        summary: 'What each message of the current billing period cost',
        description:
          'One line for each message, in the order of the source. The answer is whole and exact or it is an error: a ' +
          'message is never left out and a price never guessed. When the Copilot service fails, the last good answer is ' +
          'given for a limited time, marked by `Cache-Status` (`detail=stale`) and `Age`.',
        querystring: Type.Object({}, { additionalProperties: false }),
        headers: Type.Object({
          'if-none-match': Type.Optional(
            Type.String({
              description: 'The `ETag` of the answer that you have: 304 is answered where it is still true.',
              examples: ['"p2Q0eJ1Y3Q7v0o7Zt0b9a1b2c3d"'],
            }),
          ),
          'accept-encoding': Type.Optional(
            Type.String({ description: 'Larger answers are compressed with `br` or `gzip`.', examples: ['br, gzip'] }),
          ),
        }),
        response: {
          200: {
            description: 'The usage of the current billing period.',
            headers: usageHeaders,
            content: { 'application/json': { schema: Type.Ref('UsageResponse#') } },
          },
          304: { description: 'The answer that you have is still true.', headers: usageHeaders, type: 'null' },
          ...problemResponses(400, 500, 502, 504),
        },
      },
    },
    (request, reply) => {
      const atHand = currentUsage.peek()
      if (atHand !== undefined) return send(request, reply, atHand)
      return currentUsage.read().then((answer) => send(request, reply, answer))
    },
  )
  done()
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

const usageHeaders = {
  ETag: { type: 'string', description: 'Changes when the answer does.', examples: ['"p2Q0eJ1Y3Q7v0o7Zt0b9a1b2c3d"'] },
  Age: { type: 'integer', description: 'Seconds since the answer was last known to be true.', examples: [0] },
  'Cache-Status': {
    type: 'string',
    description: 'Where the answer came from (RFC 9211); `detail=stale` where the Copilot service fails.',
    examples: ['copilot-credits; hit'],
  },
  'Usage-Source': {
    type: 'string',
    description: 'Present where the answer is of the bundled sample period.',
    examples: ['bundled-sample'],
  },
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
