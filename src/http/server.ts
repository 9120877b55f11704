/**
 * Node's HTTP server under the framework: what is answered before Fastify sees it, which is usage from memory and what is
 * no proper HTTP.
 */
import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { type ProblemKind, toProblem } from './errors.ts'
import { hasBody, isNdjson } from './media-types.ts'
import { requestIdOf } from './request-id.ts'
import { PROBLEM_JSON } from './schemas/problem.ts'

export type HttpServerNeeds = {
  /** Fastify's listener. */
  readonly handler: RequestListener
  /** The fast lane: true where it has answered. */
  readonly answerFromMemory: (request: IncomingMessage, response: ServerResponse) => boolean
  /** Is told of what was refused here; what Fastify answers, Fastify tells of. */
  readonly refused: (requestId: string, method: string, path: string, status: number) => void
  /** A connection on which nothing has moved for so long is closed: longer than any answer may take. */
  readonly idleMaxMs: number
}

export const createHttpServer = ({ handler, answerFromMemory, refused, idleMaxMs }: HttpServerNeeds): Server => {
  /** Connections on which an answer is under way: a second one must not be written into it. */
  const busy = new WeakSet<object>()

  const refuse = (request: IncomingMessage, response: ServerResponse, kind: ProblemKind, detail: string): void => {
    const id = requestIdOf(request)
    const problem = toProblem(kind, detail, id)
    response.writeHead(problem.status, { 'content-type': PROBLEM_JSON, 'x-request-id': id, connection: 'close' })
    response.end(JSON.stringify(problem))
    refused(id, request.method ?? '', pathOf(request.url ?? ''), problem.status)
  }

  const listener: RequestListener = (request, response) => {
    if (answerFromMemory(request, response)) return
    if (request.headers.host === undefined && request.httpVersion === '1.1') {
      refuse(request, response, 'invalid-request', 'the header Host must be there')
      return
    }
    busy.add(request.socket)
    response.on('close', () => busy.delete(request.socket))
    limitArrival(request, response)
    handler(request, response)
  }

  /** A body must arrive in time, but for a stream, which may go on as long as something moves. */
  const limitArrival = (request: IncomingMessage, response: ServerResponse): void => {
    const { headers } = request
    if (!hasBody(headers) || isNdjson(headers)) return
    const timer = setTimeout(() => {
      if (request.complete || response.headersSent) return
      refuse(request, response, 'request-timed-out', `the body did not arrive within ${REQUEST_MAX_MS / 1000} s`)
    }, REQUEST_MAX_MS)
    response.on('close', () => clearTimeout(timer))
  }
  const server = createServer({ requestTimeout: 0, headersTimeout: REQUEST_MAX_MS, requireHostHeader: false }, listener)
  server.setTimeout(idleMaxMs)
  server.on('checkExpectation', (request: IncomingMessage, response: ServerResponse) =>
    refuse(request, response, 'expectation-failed', 'the header Expect must be absent or 100-continue'),
  )
  server.on('clientError', (error: NodeJS.ErrnoException, socket: Socket) => {
    const isAnswering = busy.has(socket) || ('_httpMessage' in socket && socket._httpMessage !== null)
    if (isAnswering || !socket.writable || error.code === 'ECONNRESET') {
      socket.destroy()
      return
    }
    const kind = CLIENT_ERRORS[error.code ?? ''] ?? 'invalid-request'
    const id = requestIdOf({ headers: {} })
    const { status, ...problem } = toProblem(kind, `It could not be read as HTTP (${error.code}).`, id)
    const body = JSON.stringify({ ...problem, status })
    const head = [
      `HTTP/1.1 ${status} ${problem.title}`,
      `Content-Type: ${PROBLEM_JSON}`,
      `Content-Length: ${Buffer.byteLength(body)}`,
      `X-Request-Id: ${id}`,
      'Connection: close',
    ]
    socket.end(`${head.join('\r\n')}\r\n\r\n${body}`)
    refused(id, 'unreadable', '', status)
  })
  return server
}

const CLIENT_ERRORS: Readonly<Record<string, ProblemKind>> = {
  HPE_HEADER_OVERFLOW: 'headers-too-large',
  ERR_HTTP_REQUEST_TIMEOUT: 'request-timed-out',
}

/** Time for the head of a request, and for a body that is no stream, to arrive whole. */
const REQUEST_MAX_MS = 30_000

/** Without the query: what is asked for may be nobody else's business. */
export const pathOf = (url: string): string => {
  const query = url.indexOf('?')
  return query < 0 ? url : url.slice(0, query)
}
