/**
 * A stand-in for the Copilot service. It serves a period from two files over HTTP as the real service does, and can be slow,
 * fail, or send broken responses, so that anyone can try how the metering service handles them.
 */
import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'

export type SandboxSettings = {
  /** Files of the form `{"messages":[…]}` and `{"reports":[…]}`, read anew for every request. */
  readonly messages: string
  readonly reports: string
  /** How long to delay every response. */
  readonly latencyMs: number
  /** The share of responses replaced by a 503, from 0 to 1. */
  readonly errorRate: number
  /** The share of responses whose body is cut off or not JSON, from 0 to 1. */
  readonly brokenRate: number
  /** Ids of reports for which the sandbox responds 404. */
  readonly missingReports: ReadonlySet<string>
  /** Logs one line per request. */
  readonly log: (line: string) => void
}

export const createSandbox = (settings: SandboxSettings): Server =>
  createServer((request, response) => {
    answer(settings, request, response).catch((error: unknown) => {
      settings.log(`${request.url}: ${error instanceof Error ? error.message : error}`)
      response.destroy()
    })
  })

const answer = async (settings: SandboxSettings, request: IncomingMessage, response: ServerResponse): Promise<void> => {
  const path = request.url ?? '/'
  if (settings.latencyMs > 0) await new Promise((resolve) => setTimeout(resolve, settings.latencyMs))
  const found = await find(settings, path)
  const outcome = respond(settings, request, response, found)
  settings.log(`${request.method} ${path} ${outcome}`)
}

const find = async (
  { messages, reports, missingReports }: SandboxSettings,
  path: string,
): Promise<Buffer | undefined> => {
  if (path === '/messages/current-period') return readFile(messages)
  const [, segment] = /^\/reports\/([^/]+)$/.exec(path) ?? []
  if (segment === undefined) return undefined
  const id = decodeURIComponent(segment)
  if (missingReports.has(id)) return undefined
  const catalogue = JSON.parse(await readFile(reports, 'utf8')) as {
    readonly reports: readonly { readonly id: unknown }[]
  }
  const report = catalogue.reports.find((each) => String(each.id) === id)
  return report === undefined ? undefined : Buffer.from(JSON.stringify(report))
}

const respond = (
  { errorRate, brokenRate }: SandboxSettings,
  request: IncomingMessage,
  response: ServerResponse,
  body: Buffer | undefined,
): string => {
  if (Math.random() < errorRate) {
    response.writeHead(503, { 'content-type': 'text/plain' }).end('Service Unavailable')
    return '503 (injected error)'
  }
  if (body === undefined) {
    response.writeHead(404, { 'content-type': 'application/xml' }).end('<?xml version="1.0"?><error>Not Found</error>')
    return '404'
  }
  const etag = `"${createHash('sha256').update(body).digest('base64url').slice(0, 16)}"`
  if (Math.random() < brokenRate) return sendBroken(response, body)
  if (request.headers['if-none-match'] === etag) {
    response.writeHead(304, { etag }).end()
    return '304'
  }
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': body.length, etag }).end(body)
  return `200, ${body.length} bytes`
}

const sendBroken = (response: ServerResponse, body: Buffer): string => {
  if (Math.random() < 0.5) {
    response.writeHead(200, { 'content-type': 'application/json' }).end('<html>not what you asked for</html>')
    return '200, not JSON (injected error)'
  }
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': body.length })
  response.write(body.subarray(0, Math.ceil(body.length / 2)), () => response.destroy())
  return '200, cut off (injected error)'
}
