/**
 * A stand-in for the Copilot service: serves a period from two files over HTTP as the real one does, and can be slow, fail
 * and lie, so that anyone can see what becomes of an answer then.
 */
import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'

export type SandboxSettings = {
  /** Files in the shapes `{"messages":[…]}` and `{"reports":[…]}`, read again at every request. */
  readonly messages: string
  readonly reports: string
  /** Every answer waits so long. */
  readonly latencyMs: number
  /** The share of answers that are a 503 instead, from 0 to 1. */
  readonly errorRate: number
  /** The share of answers whose body breaks off or is not JSON, from 0 to 1. */
  readonly brokenRate: number
  /** Ids of reports that are said not to exist. */
  readonly missingReports: ReadonlySet<string>
  /** Said once for each request that was answered. */
  readonly tell: (line: string) => void
}

export const createSandbox = (settings: SandboxSettings): Server =>
  createServer((request, response) => {
    answer(settings, request, response).catch((error: unknown) => {
      settings.tell(`${request.url}: ${error instanceof Error ? error.message : error}`)
      response.destroy()
    })
  })

const answer = async (settings: SandboxSettings, request: IncomingMessage, response: ServerResponse): Promise<void> => {
  const path = request.url ?? '/'
  if (settings.latencyMs > 0) await new Promise((resolve) => setTimeout(resolve, settings.latencyMs))
  const found = await find(settings, path)
  const said = respond(settings, request, response, found)
  settings.tell(`${request.method} ${path} ${said}`)
}

const find = async (
  { messages, reports, missingReports }: SandboxSettings,
  path: string,
): Promise<Buffer | undefined> => {
  if (path === '/messages/current-period') return readFile(messages)
  const [, asked] = /^\/reports\/([^/]+)$/.exec(path) ?? []
  if (asked === undefined) return undefined
  const id = decodeURIComponent(asked)
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
    return '503 (as asked for by the error rate)'
  }
  if (body === undefined) {
    response.writeHead(404, { 'content-type': 'application/xml' }).end('<?xml version="1.0"?><error>Not Found</error>')
    return '404'
  }
  const etag = `"${createHash('sha256').update(body).digest('base64url').slice(0, 16)}"`
  if (Math.random() < brokenRate) return breakOff(response, body)
  if (request.headers['if-none-match'] === etag) {
    response.writeHead(304, { etag }).end()
    return '304'
  }
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': body.length, etag }).end(body)
  return `200, ${body.length} bytes`
}

const breakOff = (response: ServerResponse, body: Buffer): string => {
  if (Math.random() < 0.5) {
    response.writeHead(200, { 'content-type': 'application/json' }).end('<html>not what you asked for</html>')
    return '200, not JSON (as asked for by the broken rate)'
  }
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': body.length })
  response.write(body.subarray(0, Math.ceil(body.length / 2)), () => response.destroy())
  return '200, broken off (as asked for by the broken rate)'
}
