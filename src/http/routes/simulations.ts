/** `/v1/simulations`: what another rate card would do, and charging messages anew once it is in force. */
import type { FastifyPluginCallbackTypebox } from '@fastify/type-provider-typebox'
import type { FastifyReply, FastifyRequest } from 'fastify'
import Type, { type Static } from 'typebox'
import type { Readings } from '#answering/readings.ts'
import type { Organizations } from '#identity/organizations.ts'
import { CARD_BYTES_MAX } from '#intake/incoming-card.ts'
import { InvalidRequest } from '#model/errors.ts'
import type { Organization } from '#model/organization.ts'
import { toChargedAnewAnswer, toSimulationAnswer } from '#simulating/answer.ts'
import type { SimulationRequest, Simulations } from '#simulating/simulations.ts'
import type { Callers } from '../caller.ts'
import { checkQueryOnly } from '../large-bodies.ts'
import { signalOfLongWork } from '../leaving.ts'
import { organizationQuery, ref } from '../schemas/common.ts'
import { problemResponses } from '../schemas/responses.ts'
import {
  ChargedAnewSchema,
  ORGANIZATIONS_MAX,
  SimulationRequestSchema,
  SimulationSchema,
} from '../schemas/simulations.ts'

export type SimulationRoutesOptions = {
  readonly simulations: Simulations
  readonly readings: Pick<Readings<unknown>, 'byDate'>
  readonly organizations: Pick<Organizations, 'all'>
  readonly callers: Callers
  /** Aborts when the service shuts down. */
  readonly leaving: AbortSignal
}

const query = Type.Object({ ...organizationQuery }, { additionalProperties: false })

/** Beside the card. */
const FIELDS_BYTES_MAX = 16 * 1024

export const simulationRoutes: FastifyPluginCallbackTypebox<SimulationRoutesOptions> = (app, options, done) => {
  const { simulations, readings, organizations, callers, leaving } = options
  const tags = ['Rate cards']
  const bodyLimit = CARD_BYTES_MAX + FIELDS_BYTES_MAX

  const organizationsIn = async (
    request: FastifyRequest,
    named: Named | undefined,
  ): Promise<readonly Organization[]> => {
    const { organization } = await callers.identify(request)
    if (named === undefined) return [organization]
    if ((request.query as Static<typeof query>).organization !== undefined)
      throw new InvalidRequest('body/organizations', 'absent if the query has "organization"')
    return named === ALL ? organizations.all() : Promise.all(named.map(callers.find))
  }

  const wantedIn = async (request: FastifyRequest): Promise<SimulationRequest> => {
    const { organizations: named, ...wanted } = bodyIn(request.body)
    const asked = await organizationsIn(request, named)
    // What the Copilot service lists is recorded first.
    for (const organization of asked) await readings.byDate(organization)
    return { ...wanted, organizations: asked }
  }

  const signalFor = (reply: FastifyReply) => signalOfLongWork(reply.raw, leaving)

  app.post(
    '/v1/simulations',
    {
      onRequest: callers.mayOperate,
      bodyLimit,
      schema: {
        operationId: 'simulateRateCard',
        tags,
        summary: 'Simulate a rate card',
        description:
          'Prices the messages of a billing period or range (the current period by default) again by another card, and compares. ' +
          'Nothing is written. Each organization is read as of one moment, one after the other. A message is priced from what was kept of it, with the price that its report had when it was ' +
          'charged. Adjustments of closed periods stay as they are. A whole card that is not valid is a 400 that names every ' +
          'fault. Requires an operator key (scope `admin` on the organization `default`).',
        querystring: query,
        body: SimulationRequestSchema,
        response: {
          200: {
            description: 'What the card would do.',
            content: { 'application/json': { schema: ref(SimulationSchema) } },
          },
          ...problemResponses(400, 401, 403, 404, 413, 415, 500, 502, 503, 504),
        },
      },
      validatorCompiler: checkQueryOnly,
    },
    async (request, reply) => {
      const wanted = await wantedIn(request)
      return toSimulationAnswer(await simulations.simulate(wanted, { signal: signalFor(reply) }))
    },
  )

  app.post(
    '/v1/simulations/:hash/apply',
    {
      onRequest: callers.mayOperate,
      bodyLimit,
      schema: {
        operationId: 'applySimulation',
        tags,
        summary: 'Charge messages anew as simulated',
        description:
          'Charges every message anew that another card has charged, by amendments, as the simulation with this hash has shown. ' +
          'The body is that of the simulation. If the request ends early, what was charged anew stays; send it again for the ' +
          'rest. It is a 409 if charges have changed since the simulation, if the card is not in force for the whole range, or if ' +
          'a part of the range is closed. Requires an operator key (scope `admin` on the organization `default`).',
        params: Type.Object({
          hash: Type.String({ description: '`hash` of the simulation.', examples: hashExamples }),
        }),
        querystring: query,
        body: SimulationRequestSchema,
        response: {
          200: {
            description: 'What was charged anew.',
            content: { 'application/json': { schema: ref(ChargedAnewSchema) } },
          },
          ...problemResponses(400, 401, 403, 404, 409, 413, 415, 500, 502, 503, 504),
        },
      },
      validatorCompiler: checkQueryOnly,
    },
    async (request, reply) => {
      const { hash } = request.params
      const wanted = await wantedIn(request)
      const charged = await simulations.apply(wanted, hash, { signal: signalFor(reply) })
      return toChargedAnewAnswer(hash, charged)
    },
  )

  done()
}

const hashExamples = ['1f0c2d7b9a4e4c6f8d3b5a7e9c1d0f2b1f0c2d7b9a4e4c6f8d3b5a7e9c1d0f2b']

const FIELDS = ['rate_card', 'organizations', 'period', 'from', 'to'] as const

const ALL = 'all'
type Named = readonly string[] | typeof ALL

type Body = Omit<SimulationRequest, 'organizations'> & { readonly organizations?: Named }

/** Throws InvalidRequest. */
const bodyIn = (body: unknown): Body => {
  if (typeof body !== 'object' || body === null || Array.isArray(body))
    throw new InvalidRequest('body', 'an object {"rate_card":…}')
  const unknown = Object.keys(body).find((field) => !(FIELDS as readonly string[]).includes(field))
  if (unknown !== undefined)
    throw new InvalidRequest(`body/${unknown.slice(0, 50)}`, `absent: the only fields are ${FIELDS.join(', ')}`)
  const { rate_card: rateCard, organizations, period, from, to } = body as Readonly<Record<string, unknown>>
  if (rateCard === undefined) throw new InvalidRequest('body/rate_card', 'the version of a rate card, or a whole card')
  return {
    rateCard,
    ...(organizations !== undefined && { organizations: namedIn(organizations) }),
    ...(period !== undefined && { period: textIn('period', period) }),
    ...(from !== undefined && { from: textIn('from', from) }),
    ...(to !== undefined && { to: textIn('to', to) }),
  }
}

const namedIn = (organizations: unknown): Named => {
  if (organizations === ALL) return ALL
  const isList = Array.isArray(organizations) && organizations.length > 0 && organizations.length <= ORGANIZATIONS_MAX
  if (isList && organizations.every((id) => typeof id === 'string')) return organizations
  throw new InvalidRequest(
    'body/organizations',
    `"${ALL}", or an array of 1 to ${ORGANIZATIONS_MAX} ids of organizations`,
  )
}

const textIn = (field: string, value: unknown): string => {
  if (typeof value !== 'string') throw new InvalidRequest(`body/${field}`, 'a string')
  return value
}
