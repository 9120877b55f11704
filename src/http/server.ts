/**
 * Node's HTTP server below Fastify. It answers what Fastify never sees, usage from memory and invalid HTTP, and bounds how
 * long a request may take to arrive.
 */
import { createServer, type IncomingMessage, type RequestListener, type Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { hasBody, isNdjson } from './media-types.ts'
import { requestIdOf } from './request-id.ts'
import { PROBLEM_JSON, type ProblemKind, toProblem } from './schemas/problem.ts'
import { tellUnreadable } from './stopping.ts'

export type HttpServerNeeds = {
  /** Fastify's listener. */
  readonly handler: RequestListener
  /** The fast lane. True if it has answered. */
  readonly answerFromMemory: (request: IncomingMessage, response: ServerResponse) => boolean
  /** Called for each request rejected here, to count and log it. Fastify reports its own responses. */
  readonly refused: (requestId: string, method: string, path: string, status: number) => void
  /** Aborts when the service shuts down. */
  readonly leaving: AbortSignal
  /** How long a connection stays open after a response. */
  readonly keepAliveTimeoutMs: number
  /** A connection without traffic for this long is closed. Must be longer than any response may take. */
  readonly idleMaxMs: number
}

export const createHttpServer = ({
  handler,
  answerFromMemory,
  refused,
  leaving,
  keepAliveTimeoutMs,
  idleMaxMs,
}: HttpServerNeeds): Server => {
  /** Requests that Fastify is answering, by connection: nothing else may write into their responses. */
  const busy = new WeakMap<object, Exchange>()

  const refuse = (
    request: IncomingMessage,
    response: ServerResponse,
    kind: ProblemKind,
    detail: string,
    headers: Readonly<Record<string, string>> = {},
  ): void => {
    const id = requestIdOf(request)
    const problem = toProblem(kind, detail, id)
    response.writeHead(problem.status, {
      'content-type': PROBLEM_JSON,
      'cache-control': 'no-store',
      'x-request-id': id,
      connection: 'close',
      ...headers,
    })
    response.end(JSON.stringify(problem))
    // Fastify reports the requests that it has started to answer.
    if (!busy.has(request.socket)) refused(id, request.method ?? '', pathOf(request.url ?? ''), problem.status)
  }

  const listener: RequestListener = (request, response) => {
    const wrong = whatIsWrong(request)
    if (wrong !== undefined) {
      refuse(request, response, 'invalid-request', wrong)
      return
    }
    if (answerFromMemory(request, response)) return
    const exchange = { request, response }
    busy.set(request.socket, exchange)
    const timer = hasBody(request.headers) ? limitBody(request, response) : undefined
    response.on('close', () => {
      if (busy.get(request.socket) === exchange) busy.delete(request.socket)
      clearTimeout(timer)
    })
    handler(request, response)
  }

  /** The rest of a body is not valid HTTP. Answers with a problem if possible, and lets a stream end in order. */
  const breakOffBody = ({ request, response }: Exchange, { code }: NodeJS.ErrnoException): void => {
    if (!response.headersSent)
      refuse(request, response, 'invalid-request', `The request body is not valid HTTP (${code}).`)
    else if (!tellUnreadable(request)) request.socket.destroy()
  }

  /** Bounds the time for a body to arrive. An NDJSON stream is exempt: it may go on as long as data flows. Returns the timer. */
  const limitBody = (request: IncomingMessage, response: ServerResponse): NodeJS.Timeout | undefined => {
    limitRest(request, response)
    if (isNdjson(request.headers)) return undefined
    return setTimeout(() => {
      if (request.complete || response.headersSent) return
      refuse(
        request,
        response,
        'request-timed-out',
        `The request body did not arrive within ${REQUEST_MAX_MS / 1000} seconds.`,
      )
    }, REQUEST_MAX_MS)
  }

  /** If the response finished before the body, discards the rest of the body, for a limited time. */
  const limitRest = (request: IncomingMessage, response: ServerResponse): void => {
    response.on('finish', () => {
      if (request.complete) return
      request.resume()
      const { socket } = request
      const timer = setTimeout(() => socket.destroy(), REQUEST_MAX_MS)
      const end = (): void => {
        clearTimeout(timer)
        socket.off('close', end)
      }
      request.on('end', end)
      socket.on('close', end)
    })
  }

  /** Shutdown waits for responses in progress, but not for requests that are slow to arrive or clients that stopped reading. */
  const hurry = (socket: Socket): void => {
    const exchange = busy.get(socket)
    const response = exchange?.response ?? responseOn(socket)
    if (response === undefined) socket.destroy()
    else if (response.headersSent) {
      if (socket.timeout !== STALLED_MAX_MS) socket.setTimeout(STALLED_MAX_MS)
    } else if (exchange !== undefined && !exchange.request.complete) {
      refuse(exchange.request, response, 'shutting-down', NOTHING_PROCESSED, { 'retry-after': '1' })
    }
  }

  const server = createServer(
    {
      requestTimeout: 0,
      headersTimeout: REQUEST_MAX_MS,
      keepAliveTimeout: keepAliveTimeoutMs,
      requireHostHeader: false,
    },
    listener,
  )
  server.setTimeout(idleMaxMs)
  const connections = new Set<Socket>()
  server.on('connection', (socket: Socket) => {
    connections.add(socket)
    socket.on('close', () => connections.delete(socket))
  })
  leaving.addEventListener('abort', () => {
    if (!server.listening) return
    const timer = setInterval(() => connections.forEach(hurry), ARRIVAL_GRACE_MS)
    server.on('close', () => clearInterval(timer))
  })
  server.on('checkExpectation', (request: IncomingMessage, response: ServerResponse) =>
    refuse(request, response, 'expectation-failed', 'The Expect header must be absent or 100-continue.'),
  )
  server.on('connect', (request: IncomingMessage, socket: Socket) => {
    const response = new ServerResponse(request)
    response.assignSocket(socket)
    refuse(request, response, 'method-not-allowed', 'CONNECT is not supported.')
    response.on('finish', () => socket.end())
  })
  server.on('clientError', (error: NodeJS.ErrnoException, socket: Socket) => {
    const exchange = busy.get(socket)
    if (exchange !== undefined && !exchange.request.complete && socket.writable && error.code !== 'ECONNRESET') {
      breakOffBody(exchange, error)
      return
    }
    const isAnswering = exchange !== undefined || responseOn(socket) !== undefined
    if (isAnswering || !socket.writable || error.code === 'ECONNRESET') {
      socket.destroy()
      return
    }
    const kind = CLIENT_ERRORS[error.code ?? ''] ?? 'invalid-request'
    const id = requestIdOf({ headers: {} })
    const { status, ...problem } = toProblem(
      kind,
      HTTP_DETAILS[kind] ?? `The request is not valid HTTP (${error.code}).`,
      id,
    )
    const body = JSON.stringify({ ...problem, status })
    const head = [
      `HTTP/1.1 ${status} ${problem.title}`,
      `Content-Type: ${PROBLEM_JSON}`,
      `Content-Length: ${Buffer.byteLength(body)}`,
      'Cache-Control: no-store',
      `X-Request-Id: ${id}`,
      'Connection: close',
    ]
    socket.end(`${head.join('\r\n')}\r\n\r\n${body}`)
    refused(id, 'unreadable', '', status)
  })
  return server
}

type Exchange = { readonly request: IncomingMessage; readonly response: ServerResponse }

/** The response being written to the socket, by Fastify or the fast lane. */
const responseOn = (socket: Socket): ServerResponse | undefined =>
  '_httpMessage' in socket && socket._httpMessage instanceof ServerResponse ? socket._httpMessage : undefined

/** Explains what is wrong with a request that Node accepts but other servers read differently; undefined if it is fine. */
const whatIsWrong = ({ rawHeaders, url = '', httpVersion, method }: IncomingMessage): string | undefined => {
  let hosts = 0
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index] ?? ''
    if (name.length === 4 && name.toLowerCase() === 'host') hosts++
  }
  if (hosts > 1) return 'The Host header must be sent only once.'
  if (hosts === 0 && httpVersion === '1.1') return 'The Host header is missing.'
  if (url.startsWith('/') || (url === '*' && method === 'OPTIONS')) return undefined
  return 'The request target must be a path such as /usage, without a scheme and host.'
}

const CLIENT_ERRORS: Readonly<Record<string, ProblemKind>> = {
  HPE_HEADER_OVERFLOW: 'headers-too-large',
  ERR_HTTP_REQUEST_TIMEOUT: 'request-timed-out',
}

const HTTP_DETAILS: Readonly<Partial<Record<ProblemKind, string>>> = {
  'headers-too-large': 'The request line and headers must be at most 16 KiB together.',
  'request-timed-out': 'The request headers did not arrive within 30 seconds.',
}

/** During shutdown: time for a request to finish arriving, and for a client to read something. */
const ARRIVAL_GRACE_MS = 1000
const STALLED_MAX_MS = 2000
const NOTHING_PROCESSED = 'The service is shutting down and has processed nothing of this request. Send it again.'

/** Time limit for the head of a request, and for a body that is not a stream, to arrive completely. */
const REQUEST_MAX_MS = 30_000

/** The path without the query, which may hold personal data. */
export const pathOf = (url: string): string => {
  const query = url.indexOf('?')
  return query < 0 ? url : url.slice(0, query)
}
