/** `/v1/session`: describes the caller, and signs in to and out of the dashboard. */
import type { FastifyPluginCallbackTypebox } from '@fastify/type-provider-typebox'
import Type from 'typebox'
import type { Readings } from '#answering/readings.ts'
import type { Access } from '#identity/access.ts'
import { SCOPES } from '#ledger/commands.ts'
import { canonicalTimestamp } from '#model/timestamp.ts'
import type { Caller, Callers } from '../caller.ts'
import { WITHOUT_KEY } from '../openapi.ts'
import { oneOf, organizationQuery, ref, TimestampSchema } from '../schemas/common.ts'
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
    organization: Type.Object(
      { ...OrganizationSchema.properties },
      { description: 'The organization that the request is about.' },
    ),
    scopes: Type.Array(oneOf(SCOPES), {
      description: 'Scopes of the caller.',
      examples: [['usage:read']],
    }),
    operator: Type.Boolean({
      description: 'Whether the caller may name any organization, and change what all of them share.',
      examples: [false],
    }),
    signed_in_by: Type.Union([Type.Literal('key'), Type.Literal('session'), Type.Literal('nobody')], {
      description: 'How the caller authenticated. `nobody`: no key was required.',
      examples: ['session'],
    }),
    source: Type.Union([Type.Literal('ledger'), Type.Literal('upstream'), Type.Literal('bundled-sample')], {
      description:
        'Source of the current period: the ledger, the listing of the Copilot service, or the bundled sample period.',
      examples: ['ledger'],
    }),
    time: TimestampSchema(
      "Time of the service's clock, which determines the current period; for the sample period, that of its last message.",
    ),
  },
  { $id: 'Session', description: 'The caller, its scopes and its organization.' },
)

export { SessionSchema }

const SessionQuery = Type.Object({ ...organizationQuery }, { additionalProperties: false })
const SignIn = Type.Object(
  { key: Type.String({ minLength: 1, maxLength: 500, description: 'An API key.', examples: ['cck_acme_…'] }) },
  { additionalProperties: false },
)

export const sessionRoutes: FastifyPluginCallbackTypebox<SessionRoutesOptions> = (app, options, done) => {
  const { access, callers, sessions, readings } = options

  const toSession = async ({ principal, organization }: Caller) => {
    const { organization: read, source, time } = await readings.situation(organization)
    return {
      organization: toOrganization(read, time),
      scopes: [...principal.scopes],
      operator: principal.isOperator,
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
        summary: 'Get the caller and its organization',
        description:
          'Returns how the caller authenticated, its scopes, the organization and its billing calendar. Requires the scope ' +
          '`usage:read`.',
        querystring: SessionQuery,
        response: {
          200: { description: 'The session.', content: { 'application/json': { schema: ref(SessionSchema) } } },
          ...problemResponses(400, 401, 403, 404, 500, 503),
        },
      },
    },
    async (request, reply) => {
      reply.header('cache-control', 'no-store')
      return toSession(await callers.identify(request))
    },
  )

  app.post(
    '/v1/session',
    {
      schema: {
        ...WITHOUT_KEY,
        operationId: 'signIn',
        tags: ['Session'],
        summary: 'Sign in to the dashboard',
        description:
          'Starts a session with an API key that has the scope `usage:read`. The response sets a cookie that scripts ' +
          "cannot read and that only the service's own pages send. The session ends after `SESSION_LIFETIME` (12 hours by " +
          'default), on sign-out, or when the key is revoked. Programs send their key with each request instead.',
        body: SignIn,
        response: {
          204: { description: 'The session was started.', type: 'null' },
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
        ...WITHOUT_KEY,
        operationId: 'signOut',
        tags: ['Session'],
        summary: 'Sign out of the dashboard',
        description:
          'Ends the session for every copy of its cookie: immediately in this process, within 5 seconds in other processes on ' +
          'the same database. Has no effect without a session.',
        response: {
          204: { description: 'The session was ended.', type: 'null' },
          ...problemResponses(400, 403, 500, 503),
        },
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
