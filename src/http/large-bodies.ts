/** Bodies that their routes read and check themselves, after everything else about the request is known to be right. */
import type { FastifyError, FastifyInstance, FastifyRequest, FastifySchemaCompiler } from 'fastify'
import type { TSchema } from 'typebox'
import { Compile } from 'typebox/compile'
import type { Caller } from './caller.ts'
import { BATCH, STRUCTURED } from './intake/cloud-events.ts'
import { JSON_TYPE, NDJSON_TYPES, PROTOBUF } from './media-types.ts'

/** The names under which a request counts: key or session and organization, or the address if no key is required. */
export const sendersOf = ({ principal }: Caller, { headers, socket }: FastifyRequest): readonly string[] => {
  if (principal.by === 'nobody') return [`address ${socket.remoteAddress}`]
  const shown = principal.by === 'key' ? headers.authorization : headers.cookie
  return [`key ${shown}`, `organization ${principal.organizationId}`]
}

/** Schemas check the query only. The routes check the body, message by message. */
export const checkQueryOnly: FastifySchemaCompiler<TSchema> = ({ schema, httpPart }) => {
  if (httpPart !== 'querystring') return () => true
  const check = Compile(schema)
  return (query: unknown) => check.Check(query) || { error: check.Errors(query).flatMap(asAjvSaysIt) }
}

type Finding = NonNullable<FastifyError['validation']>[number]

const asAjvSaysIt = (finding: Finding): readonly Finding[] => {
  const { additionalProperties: unknown } = finding.params
  if (Array.isArray(unknown)) return [{ ...finding, params: { additionalProperty: String(unknown[0]) } }]
  return finding.keyword === 'boolean' ? [] : [finding]
}

/** Passes bodies to the routes as streams. */
export const keepBodiesAsTheyAre = (app: FastifyInstance): void => {
  app.removeAllContentTypeParsers()
  app.addContentTypeParser([JSON_TYPE, PROTOBUF, STRUCTURED, BATCH, ...NDJSON_TYPES], (_, payload, done) =>
    done(null, payload),
  )
}
