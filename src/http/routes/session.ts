/** `/v1/session`: who asks, and signing in and out of the dashboard. */
import type { FastifyPluginCallback } from 'fastify'
import Type, { type Static } from 'typebox'
import type { Access } from '#metering/access.ts'
import { SCOPES } from '#metering/ledger.ts'
import type { Readings } from '#metering/readings.ts'
import { canonicalTimestamp } from '#model/timestamp.ts'
import type { Caller, Callers } from '../caller.ts'
import { organizationQuery, TimestampSchema } from '../schemas/common.ts'
import { problemResponses } from '../schemas/responses.ts'
import type { Sessions } from '../sessions.ts'
import { OrganizationSchema, toOrganization } from './organizations.ts'

export type SessionRoutesOptions = {
  readonly access: Access
  readonly callers: Callers
  readonly sessions: Sessions
  readonly readings: Readings<unknown>
}

const SessionSchema = Type.Object(
  {
    organization: Type.Object({ ...OrganizationSchema.properties }, { description: 'Of whom.' }),
    scopes: Type.Array(Type.Union(SCOPES.map((scope) => Type.Literal(scope))), {
      description: 'What the caller may do.',
      examples: [['usage:read']],
    }),
    signed_in_by: Type.Union([Type.Literal('key'), Type.Literal('session'), Type.Literal('nobody')], {
      description: '`nobody`: no key is asked for.',
      examples: ['session'],
    }),
    source: Type.Union([Type.Literal('ledger'), Type.Literal('upstream'), Type.Literal('bundled-sample')], {
      description: 'What decides what the current period holds.',
      examples: ['ledger'],
    }),
    time: TimestampSchema('The clock that decides which period is the current one.'),
  },
  { $id: 'Session', description: 'Who asks, and of what.' },
)

export { SessionSchema }

const SessionQuery = Type.Object({ ...organizationQuery }, { additionalProperties: false })
const SignIn = Type.Object(
  { key: Type.String({ minLength: 1, maxLength: 500, description: 'An API key.', examples: ['cck_acme_…'] }) },
  { additionalProperties: false },
)

export const sessionRoutes: FastifyPluginCallback<SessionRoutesOptions> = (app, options, done) => {
  const { access, callers, sessions, readings } = options

  const toSession = async ({ principal, organization }: Caller) => {
    const { organization: read, source, time } = await readings.situation(organization)
    return {
      organization: toOrganization(read, time),
      scopes: principal.scopes,
      signed_in_by: principal.by,
      source,
      time: canonicalTimestamp(time),
    }
  }

  app.get(
    '/v1/session',
    {
      onRequest: callers.may('usage:read'),
      schema: {
        operationId: 'getSession',
        tags: ['Session'],
        summary: 'Who asks, and of what',
        querystring: SessionQuery,
        response: {
          200: { description: 'The caller.', content: { 'application/json': { schema: Type.Ref('Session#') } } },
          ...problemResponses(400, 401, 403, 404, 500, 503),
        },
      },
    },
    async (request, reply) => {
      reply.header('cache-control', 'no-store')
      return toSession(await callers.identify(request))
    },
  )

  app.post<{ Body: Static<typeof SignIn> }>(
    '/v1/session',
    {
      schema: {
        operationId: 'signIn',
        tags: ['Session'],
        summary: 'Signs in with an API key',
        description:
          'For the dashboard: the answer sets a cookie that scripts cannot read and that is sent by pages of the service ' +
          'only. It ends after `SESSION_LIFETIME`, with a sign-out, and with its key. Programs send their key with each request.',
        body: SignIn,
        response: {
          204: { description: 'Signed in.', type: 'null' },
          ...problemResponses(400, 401, 403, 413, 415, 500, 503),
        },
      },
    },
    async (request, reply) => {
      const key = access.hashOf(request.body.key)
      await callers.identifyKey(key, 'usage:read')
      return reply
        .code(204)
        .header('cache-control', 'no-store')
        .header('set-cookie', sessions.begin(request, key))
        .send(null)
    },
  )

  app.delete(
    '/v1/session',
    {
      schema: {
        operationId: 'signOut',
        tags: ['Session'],
        summary: 'Signs out',
        description:
          'Ends the session for every copy of its cookie: at once in this process, within 5 seconds in others on the same database.',
        response: { 204: { description: 'Signed out.', type: 'null' }, ...problemResponses(403, 500, 503) },
      },
    },
    async (request, reply) => {
      const session = sessions.read(request.headers.cookie)
      if (session !== undefined) await access.endSession(session)
      return reply.code(204).header('set-cookie', sessions.end(request)).send(null)
    },
  )

  done()
}
