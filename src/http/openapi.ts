/** The parts of `/openapi.json` that do not come from the routes. */
import type { FastifySchema } from 'fastify'
import packageJson from '../../package.json' with { type: 'json' }

/** `sessions.ts` reads it. */
export const SESSION_COOKIE = 'copilot_credits_session'

export const openApiInfo = {
  openapi: '3.1.0',
  info: {
    title: 'Copilot Credits',
    version: packageJson.version,
    description:
      'Exact metering and billing for AI-copilot messages: what every message cost, in credits, for any billing period, ' +
      'and why.\n\n' +
      'Authenticate with an API key: `Authorization: Bearer cck_…`. A local installation without keys needs none.\n\n' +
      'Errors are `application/problem+json` (RFC 9457). Every response has an `X-Request-Id` header. Request bodies may be ' +
      'compressed with gzip. Timestamps are RFC 3339, ranges exclude their end, and amounts are exact decimals with at most ' +
      'six decimal places.',
    license: { name: 'MIT', identifier: 'MIT' },
  },
  components: {
    securitySchemes: {
      apiKey: {
        type: 'http' as const,
        scheme: 'bearer',
        description: 'An API key. It begins with `cck_`, belongs to an organization and carries scopes.',
      },
      session: {
        type: 'apiKey' as const,
        in: 'cookie',
        name: SESSION_COOKIE,
        description:
          'A dashboard session: sign in at `/`, and the browser sends the cookie itself. Over https its name begins with `__Host-`.',
      },
    },
  },
  security: [{ apiKey: [] }, { session: [] }],
  tags: [
    { name: 'Usage', description: 'Usage lines, totals and billing periods.' },
    { name: 'Messages', description: 'Report messages and explain what they cost.' },
    { name: 'OpenTelemetry', description: 'Usage that arrives by itself: OTLP/HTTP.' },
    { name: 'Reports', description: 'The catalogue of reports and their prices.' },
    { name: 'Rate cards', description: 'What messages cost, and which rate card is in force.' },
    { name: 'Organizations', description: 'The customers that are billed.' },
    { name: 'Keys', description: 'API keys.' },
    { name: 'Session', description: 'Dashboard sessions.' },
    { name: 'Operating', description: 'Health, readiness and metrics.' },
  ],
}

/** For routes that need no API key. */
export const WITHOUT_KEY = { security: [] }

/** Adds the header to the document only: `bodies.ts` handles it for every route. */
export const withContentEncoding = (schema: FastifySchema): FastifySchema =>
  schema?.body === undefined ? schema : { ...schema, headers: CONTENT_ENCODING }

const CONTENT_ENCODING = {
  type: 'object',
  properties: {
    'content-encoding': {
      type: 'string',
      enum: ['gzip'],
      description: 'Set to `gzip` if the body is compressed. Size limits apply to the decompressed body.',
      examples: ['gzip'],
    },
  },
}
