/** `/v1/keys`: who may ask. */
import type { FastifyPluginCallback } from 'fastify'
import Type, { type Static } from 'typebox'
import type { Access } from '#metering/access.ts'
import type { ApiKey } from '#metering/ledger.ts'
import { NotFound } from '#model/errors.ts'
import { canonicalTimestamp } from '#model/timestamp.ts'
import type { Callers } from '../caller.ts'
import { organizationQuery, TimestampSchema } from '../schemas/common.ts'
import { problemResponses } from '../schemas/responses.ts'

export type KeyRoutesOptions = { readonly access: Access; readonly callers: Callers }

const scopeSchema = Type.Union([Type.Literal('usage:read'), Type.Literal('messages:write'), Type.Literal('admin')], {
  description: '`admin` includes the others; on the organization `default` it runs the installation.',
  examples: ['usage:read'],
})

const keyFields = {
  id: Type.String({ description: 'Names the key; it is not the secret.', examples: ['key_Zk3vJ0aP9xQ1'] }),
  organization: Type.String({ description: 'Whose key it is.', examples: ['default'] }),
  name: Type.String({ description: 'For people.', examples: ['billing export'] }),
  scopes: Type.Array(scopeSchema, { description: 'What it allows.' }),
  created: TimestampSchema('When it was created.'),
  revoked: Type.Optional(TimestampSchema('When it was revoked; absent where it is good.')),
}

export const ApiKeySchema = Type.Object(keyFields, { $id: 'ApiKey', description: 'An API key without its secret.' })

const NewSchema = Type.Object(
  {
    name: Type.Optional(
      Type.String({ minLength: 1, maxLength: 200, description: 'For people.', examples: ['billing export'] }),
    ),
    scopes: Type.Array(scopeSchema, { minItems: 1, maxItems: 3, uniqueItems: true, description: 'What it allows.' }),
  },
  { additionalProperties: false },
)

const query = Type.Object({ ...organizationQuery }, { additionalProperties: false })
const path = Type.Object({ id: Type.String({ description: 'Id of the key.', examples: ['key_Zk3vJ0aP9xQ1'] }) })

export const keyRoutes: FastifyPluginCallback<KeyRoutesOptions> = (app, { access, callers }, done) => {
  const tags = ['Keys']

  app.post<{ Body: Static<typeof NewSchema> }>(
    '/v1/keys',
    {
      onRequest: callers.may('admin'),
      schema: {
        operationId: 'createKey',
        tags,
        summary: 'Create a key',
        description: 'The answer is the only place where the key is shown: it is stored hashed.',
        querystring: query,
        body: NewSchema,
        response: {
          201: {
            description: 'Created.',
            content: {
              'application/json': {
                schema: Type.Object({
                  ...keyFields,
                  key: Type.String({
                    description: 'The secret: `Authorization: Bearer` and this.',
                    examples: ['cck_default_…'],
                  }),
                }),
              },
            },
          },
          ...problemResponses(400, 401, 403, 404, 413, 415, 500, 503),
        },
      },
    },
    async (request, reply) => {
      const { organization } = await callers.identify(request)
      const { name = '', scopes } = request.body
      const { key, entry } = await access.createKey({ organizationId: organization.id, name, scopes })
      return reply
        .code(201)
        .header('cache-control', 'no-store')
        .send({ ...toResponse(entry), key })
    },
  )

  app.get(
    '/v1/keys',
    {
      onRequest: callers.may('admin'),
      schema: {
        operationId: 'listKeys',
        tags,
        summary: 'List keys',
        querystring: query,
        response: {
          200: {
            description: 'Keys, revoked ones included.',
            content: {
              'application/json': {
                schema: Type.Object({
                  keys: Type.Array(Type.Ref('ApiKey#'), { description: 'Keys, the oldest first.' }),
                }),
              },
            },
          },
          ...problemResponses(400, 401, 403, 404, 500, 503),
        },
      },
    },
    async (request) => {
      const { organization } = await callers.identify(request)
      return { keys: (await access.listKeys(organization.id)).map(toResponse) }
    },
  )

  app.delete<{ Params: Static<typeof path> }>(
    '/v1/keys/:id',
    {
      onRequest: callers.may('admin'),
      schema: {
        operationId: 'revokeKey',
        tags,
        summary: 'Revoke a key',
        description: 'It stays in the list. Other processes on the same database may take it for some seconds more.',
        params: path,
        querystring: query,
        response: {
          200: { description: 'Revoked.', content: { 'application/json': { schema: Type.Ref('ApiKey#') } } },
          ...problemResponses(400, 401, 403, 404, 500, 503),
        },
      },
    },
    async (request) => {
      const { organization } = await callers.identify(request)
      const revoked = await access.revokeKey(organization.id, request.params.id)
      if (revoked === undefined) throw new NotFound(`No such key: ${JSON.stringify(request.params.id.slice(0, 100))}.`)
      return toResponse(revoked)
    },
  )

  done()
}

const toResponse = ({ id, organizationId, name, scopes, createdAt, revokedAt }: ApiKey) => ({
  id,
  organization: organizationId,
  name,
  scopes,
  created: canonicalTimestamp(createdAt),
  ...(revokedAt === undefined ? {} : { revoked: canonicalTimestamp(revokedAt) }),
})
