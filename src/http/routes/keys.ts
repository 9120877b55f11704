/** `/v1/keys`: API keys. */
import type { FastifyPluginCallbackTypebox } from '@fastify/type-provider-typebox'
import Type from 'typebox'
import type { Access } from '#identity/access.ts'
import type { ApiKey } from '#ledger/commands.ts'
import { NotFound } from '#model/errors.ts'
import { canonicalTimestamp } from '#model/timestamp.ts'
import type { Callers } from '../caller.ts'
import { organizationQuery, ref, TimestampSchema } from '../schemas/common.ts'
import { problemResponses } from '../schemas/responses.ts'

export type KeyRoutesOptions = { readonly access: Access; readonly callers: Callers }

const scopeSchema = Type.Union([Type.Literal('usage:read'), Type.Literal('messages:write'), Type.Literal('admin')], {
  description:
    '`usage:read` reads usage, `messages:write` reports messages, `admin` includes both and manages the organization and its ' +
    'keys. An `admin` key of the organization `default` is an operator key: it can act on every organization.',
  examples: ['usage:read'],
})

const keyFields = {
  id: Type.String({ description: 'Id of the key. Not the secret.', examples: ['key_Zk3vJ0aP9xQ1'] }),
  organization: Type.String({ description: 'Id of the organization that the key belongs to.', examples: ['default'] }),
  name: Type.String({ description: 'Display name.', examples: ['billing export'] }),
  scopes: Type.Array(scopeSchema, { description: 'What the key allows.' }),
  created: TimestampSchema('When the key was created.'),
  last_used: Type.Optional(
    TimestampSchema('When the key was last used; up to five minutes too early. Absent if it never was.'),
  ),
  revoked: Type.Optional(TimestampSchema('When the key was revoked. Absent if it is valid.')),
}

export const ApiKeySchema = Type.Object(keyFields, { $id: 'ApiKey', description: 'An API key without its secret.' })

const NewSchema = Type.Object(
  {
    name: Type.Optional(
      Type.String({ minLength: 1, maxLength: 200, description: 'Display name.', examples: ['billing export'] }),
    ),
    scopes: Type.Array(scopeSchema, {
      minItems: 1,
      maxItems: 3,
      uniqueItems: true,
      description: 'What the key allows.',
    }),
  },
  { additionalProperties: false },
)

const query = Type.Object({ ...organizationQuery }, { additionalProperties: false })
const path = Type.Object({ id: Type.String({ description: 'Id of the key.', examples: ['key_Zk3vJ0aP9xQ1'] }) })

export const keyRoutes: FastifyPluginCallbackTypebox<KeyRoutesOptions> = (app, { access, callers }, done) => {
  const tags = ['Keys']

  app.post(
    '/v1/keys',
    {
      onRequest: callers.may('admin'),
      schema: {
        operationId: 'createKey',
        tags,
        summary: 'Create an API key',
        description:
          'The secret is shown only in this response: the service stores a hash of it. Requires the scope `admin`.',
        querystring: query,
        body: NewSchema,
        response: {
          201: {
            description: 'The key was created.',
            content: {
              'application/json': {
                schema: Type.Object({
                  ...keyFields,
                  key: Type.String({
                    description: 'The secret, sent as `Authorization: Bearer cck_…`.',
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
        summary: 'List API keys',
        description: 'Returns the keys of the organization, including revoked ones. Requires the scope `admin`.',
        querystring: query,
        response: {
          200: {
            description: 'The keys.',
            content: {
              'application/json': {
                schema: Type.Object({
                  keys: Type.Array(ref(ApiKeySchema), { description: 'Keys, oldest first.' }),
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

  app.delete(
    '/v1/keys/:id',
    {
      onRequest: callers.may('admin'),
      schema: {
        operationId: 'revokeKey',
        tags,
        summary: 'Revoke an API key',
        description:
          'The key stays in the list. Other processes on the same database may accept it for up to 5 more seconds. Requires ' +
          'the scope `admin`.',
        params: path,
        querystring: query,
        response: {
          200: { description: 'The revoked key.', content: { 'application/json': { schema: ref(ApiKeySchema) } } },
          ...problemResponses(400, 401, 403, 404, 500, 503),
        },
      },
    },
    async (request) => {
      const { organization } = await callers.identify(request)
      const revoked = await access.revokeKey(organization.id, request.params.id)
      if (revoked === undefined)
        throw new NotFound(`There is no key ${JSON.stringify(request.params.id.slice(0, 100))}.`)
      return toResponse(revoked)
    },
  )

  done()
}

const toResponse = ({ id, organizationId, name, scopes, createdAt, usedAt, revokedAt }: ApiKey) => ({
  id,
  organization: organizationId,
  name,
  scopes: [...scopes],
  created: canonicalTimestamp(createdAt),
  ...(usedAt === undefined ? {} : { last_used: canonicalTimestamp(usedAt) }),
  ...(revokedAt === undefined ? {} : { revoked: canonicalTimestamp(revokedAt) }),
})
