import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import Fastify from 'fastify'
import { Unauthenticated, UnknownHost } from '#identity/access.ts'
import {
  Conflict,
  Forbidden,
  InvalidRequest,
  NotFound,
  ServiceError,
  StoreBusy,
  StoreError,
  UpstreamError,
} from '#model/errors.ts'
import { BodyTooLarge } from './bodies.ts'
import { handleError, problemFor } from './errors.ts'
import { ReaderLeft } from './leaving.ts'
import type { Problem } from './schemas/problem.ts'
import { LineTimedOut, ShuttingDown } from './stopping.ts'

const upstreamError = (failure: 'timeout' | 'connection', retryAfterMs?: number): UpstreamError =>
  new UpstreamError({
    call: 'GET /reports/1',
    failure,
    reason: 'it broke',
    attempts: 2,
    ...(retryAfterMs !== undefined && { retryAfterMs }),
  })

const cases: readonly (readonly [error: Error, status: number, kind: string, detail: string, retryAfter?: string])[] = [
  [new InvalidRequest('body/id', 'a string'), 400, 'invalid-request', 'The field body/id must be a string.'],
  [new Unauthenticated('Who?'), 401, 'unauthenticated', 'Who?'],
  [new Forbidden('No.'), 403, 'forbidden', 'No.'],
  [
    new UnknownHost('evil.example'),
    403,
    'forbidden',
    'The host name "evil.example" is not allowed. Use localhost, an IP address, or a name in ALLOWED_HOSTS or PUBLIC_URL.',
  ],
  [new NotFound('None.'), 404, 'not-found', 'None.'],
  [new LineTimedOut(), 408, 'request-timed-out', new LineTimedOut().message],
  [new Conflict('Taken.'), 409, 'conflict', 'Taken.'],
  [new BodyTooLarge(5), 413, 'payload-too-large', 'The request body must be at most 5 bytes.'],
  [new ReaderLeft(), 499, 'reader-left', new ReaderLeft().message],
  [
    new TypeError('secret'),
    500,
    'internal-error',
    'An unexpected error occurred. The service log has the details under this request_id.',
  ],
  [upstreamError('connection'), 502, 'upstream-failed', 'GET /reports/1 failed after 2 attempts: it broke.'],
  [upstreamError('connection', 1500), 502, 'upstream-failed', 'GET /reports/1 failed after 2 attempts: it broke.', '2'],
  [upstreamError('timeout'), 504, 'upstream-timed-out', 'GET /reports/1 failed after 2 attempts: it broke.'],
  [new ServiceError('not-ready', 'Not yet.'), 503, 'not-ready', 'Not yet.'],
  [new ShuttingDown(), 503, 'shutting-down', new ShuttingDown().message, '1'],
  [new StoreBusy('Busy.'), 503, 'too-busy', 'Busy.', '1'],
  [
    new StoreError('/var/lib/secret.db is full'),
    503,
    'store-failed',
    'Nothing in this request has been acknowledged. Send it again; if it keeps failing, the service log says why.',
    '1',
  ],
]

describe('every error is one problem, in a response of its own and at the end of a stream:', async () => {
  const app = Fastify()
  let thrown: Error | undefined
  app.setErrorHandler(handleError)
  app.get('/response', async () => {
    throw thrown
  })
  app.get('/stream', async (request) => ({ problem: problemFor(thrown, request) }))
  after(() => app.close())

  for (const [error, status, kind, detail, retryAfter] of cases) {
    test(`${error.name} is ${status} ${kind}`, async () => {
      thrown = error
      const response = await app.inject('/response')
      const { request_id: _, ...problem } = response.json<Problem>()
      const { request_id: __, ...streamed } = (await app.inject('/stream')).json<{ problem: Problem }>().problem
      assert.deepEqual(
        [response.statusCode, problem.status, problem.type, problem.detail, response.headers['retry-after']],
        [status, status, `urn:copilot-credits:problem:${kind}`, detail, retryAfter],
      )
      assert.deepEqual(streamed, problem)
    })
  }

  test('the call that failed is told only of the Copilot service, the field only of an invalid request', async () => {
    const keys = new Set(['type', 'title', 'status', 'detail', 'request_id'])
    for (const [error] of cases) {
      thrown = error
      const more = Object.entries((await app.inject('/response')).json<Problem>()).filter(([key]) => !keys.has(key))
      if (error instanceof UpstreamError) {
        const { call, failure, reason, attempts } = error.details
        assert.deepEqual(more, [['upstream', { call, failure, reason, attempts }]])
      } else if (error instanceof InvalidRequest) {
        assert.deepEqual(more, [['errors', [{ field: error.field, expected: error.expected }]]])
      } else assert.deepEqual(more, [])
    }
  })
})
