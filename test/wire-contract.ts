/**
 * Holds every response that a test receives against openapi.json: the client's types and the documentation come from it, and
 * the server does not check what it sends.
 */
import { readFileSync } from 'node:fs'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import { brotliDecompressSync, gunzipSync } from 'node:zlib'
import Schema from 'typebox/schema'

type Operation = { readonly responses: Record<string, { readonly content?: Record<string, unknown> }> }
type Document = { readonly paths: Record<string, Record<string, Operation>> }

/** An answer of more bytes is not looked at. */
const BODY_BYTES_MAX = 2_000_000

export type WireContract = {
  /** What was sent otherwise than openapi.json says, as sentences. */
  readonly violations: readonly string[]
}

/** Call it before the server's first request. */
export const holdToContract = (server: Server): WireContract => {
  const violations: string[] = []
  server.prependListener('request', (request: IncomingMessage, response: ServerResponse) => {
    const sent = watch(response)
    response.on('finish', () => {
      const violation = violationOf(request, response.statusCode, sent())
      if (violation !== undefined) violations.push(`${request.method} ${request.url}: ${violation}`)
    })
  })
  return { violations }
}

type Sent = { readonly type: string; readonly encoding: string; readonly body: Buffer }

/** All that is written to a response, once it is complete. */
const watch = (response: ServerResponse): (() => Sent) => {
  const chunks: Buffer[] = []
  let bytes = 0
  let head: Record<string, unknown> = {}
  before(response, 'writeHead', (_status, ...more) => {
    const headers = more.findLast((each) => typeof each === 'object' && each !== null) ?? {}
    // A list has names and values in turn.
    head = Array.isArray(headers)
      ? Object.fromEntries(headers.flatMap((name, at) => (at % 2 === 0 ? [[name, headers[at + 1]]] : [])))
      : { ...headers }
  })
  for (const method of ['write', 'end'] as const) {
    before(response, method, (chunk, encoding) => {
      if (typeof chunk !== 'string' && !(chunk instanceof Uint8Array)) return
      const kept = typeof chunk === 'string' ? Buffer.from(chunk, encodingOf(encoding)) : Buffer.from(chunk)
      bytes += kept.length
      if (bytes <= BODY_BYTES_MAX) chunks.push(kept)
    })
  }
  const header = (name: string): string => {
    const own = Object.entries(head).find(([key]) => key.toLowerCase() === name)?.[1]
    return String(own ?? response.getHeader(name) ?? '')
  }
  return () => ({
    type: header('content-type').split(';')[0] ?? '',
    encoding: header('content-encoding'),
    body: bytes <= BODY_BYTES_MAX ? Buffer.concat(chunks) : Buffer.alloc(0),
  })
}

const before = (
  response: ServerResponse,
  method: 'writeHead' | 'write' | 'end',
  look: (...args: readonly unknown[]) => void,
): void => {
  const original = response[method] as (...args: readonly unknown[]) => unknown
  Object.defineProperty(response, method, {
    value: (...args: readonly unknown[]) => {
      look(...args)
      return original.apply(response, [...args])
    },
  })
}

const encodingOf = (encoding: unknown): BufferEncoding =>
  typeof encoding === 'string' ? (encoding as BufferEncoding) : 'utf8'

const violationOf = (
  request: IncomingMessage,
  statusCode: number,
  { type, encoding, body }: Sent,
): string | undefined => {
  const status = String(statusCode)
  const path = (request.url ?? '').split('?')[0] ?? ''
  const template = TEMPLATES.find(({ pattern }) => pattern.test(path))?.template ?? ''
  const method = request.method === 'HEAD' ? 'get' : (request.method ?? '').toLowerCase()
  const operation = DOCUMENT.paths[template]?.[method]
  if (operation === undefined) return type === PROBLEM ? faultsOf(problemCheck(), body.toString()) : undefined
  const documented = operation.responses[status]
  if (documented === undefined) return `status ${status} is not documented`
  if (body.length === 0) return undefined
  if (documented.content?.[type] === undefined) return `content type ${type} is not documented with status ${status}`
  if (!type.endsWith('json')) return undefined
  const check = checkOf(['paths', template, method, 'responses', status, 'content', type, 'schema'])
  const text = decoded(encoding, body).toString()
  // The schema of a stream is that of each line.
  const documents = type.endsWith('ndjson') ? text.trimEnd().split('\n') : [text]
  return documents.map((each) => faultsOf(check, each)).find((faults) => faults !== undefined)
}

const decoded = (encoding: string, body: Buffer): Buffer => {
  if (encoding === 'br') return brotliDecompressSync(body)
  return encoding === 'gzip' ? gunzipSync(body) : body
}

const faultsOf = (check: Check, body: string): string | undefined => {
  const value: unknown = JSON.parse(body)
  if (check.Check(value)) return undefined
  const [, errors] = check.Errors(value)
  return errors.map(({ instancePath, message }) => `${instancePath} ${message}`).join('; ')
}

/** A field that is not documented is a violation too, so objects are closed here. */
const closed = (node: unknown): unknown => {
  if (Array.isArray(node)) return node.map(closed)
  if (typeof node !== 'object' || node === null) return node
  const copy = Object.fromEntries(Object.entries(node).map(([key, value]) => [key, closed(value)]))
  return copy['type'] === 'object' && 'properties' in copy ? { additionalProperties: false, ...copy } : copy
}

const PROBLEM = 'application/problem+json'
const DOCUMENT = closed(JSON.parse(readFileSync(new URL('../openapi.json', import.meta.url), 'utf8'))) as Document
const TEMPLATES = Object.keys(DOCUMENT.paths)
  .map((template) => ({
    template,
    pattern: new RegExp(`^${template.replaceAll('.', '\\.').replaceAll(/\{\w+\}/g, '[^/]+')}$`),
  }))
  .sort((one, other) => Number(one.template.includes('{')) - Number(other.template.includes('{')))

type Check = ReturnType<typeof Schema.Compile>

const checks = new Map<string, Check>()

const checkOf = (path: readonly string[]): Check => {
  const pointer = path.map((part) => part.replaceAll('~', '~0').replaceAll('/', '~1')).join('/')
  const known = checks.get(pointer) ?? Schema.Compile({ ...DOCUMENT, $ref: `#/${pointer}` })
  checks.set(pointer, known)
  return known
}

const problemCheck = (): Check => checkOf(['components', 'schemas', 'Problem'])
