/** What `/openapi.json` says beside the routes. */
import type { FastifySchema } from 'fastify'
import packageJson from '../../package.json' with { type: 'json' }

export const openApiInfo = {
  openapi: '3.1.0',
  info: {
    title: 'Copilot Credits',
    version: packageJson.version,
    description:
      'What every AI-copilot message cost, in credits, exactly, for any billing period, and why.\n\n' +
      'Every error is `application/problem+json` (RFC 9457). Every answer has an `X-Request-Id`.',
    license: { name: 'MIT', identifier: 'MIT' },
  },
  tags: [
    { name: 'Usage', description: 'What messages cost.' },
    { name: 'Messages', description: 'Reporting messages, and why one cost what it did.' },
    { name: 'Reports', description: 'What reports cost.' },
    { name: 'Organizations', description: 'Who is billed, and when.' },
    { name: 'Keys', description: 'Who may ask.' },
    { name: 'Session', description: 'Signing in to the dashboard.' },
    { name: 'Operating', description: 'For those who run the service.' },
  ],
}

/** Every body may be packed; only the document needs to be told of each. */
export const withContentEncoding = (schema: FastifySchema): FastifySchema =>
  schema?.body === undefined ? schema : { ...schema, headers: CONTENT_ENCODING }

const CONTENT_ENCODING = {
  type: 'object',
  properties: {
    'content-encoding': {
      type: 'string',
      enum: ['gzip'],
      description: 'Of a body that is packed. What it unpacks to may be as large as a body that is not packed.',
      examples: ['gzip'],
    },
  },
}
