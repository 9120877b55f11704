/** Bodies of requests: unpacked, read as JSON by our own reader, and refused before that where they are of no type that is taken. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { Readable } from 'node:stream'
import { createGunzip } from 'node:zlib'
import type { FastifyInstance, FastifyRequest, preParsingHookHandler } from 'fastify'
import { InvalidJson, readJson } from '#formats/json.ts'
import { InvalidRequest, ServiceError, StoreBusy } from '#model/errors.ts'
import { isPlainText, PLAIN_TEXT } from '#model/plain-text.ts'
import { CollectedBytes } from './collected-bytes.ts'
import { BUSY, type IntakeShare } from './intake-gate.ts'
import { hasBody, isGzip, JSON_TYPE, mediaTypeOf } from './media-types.ts'

/** The body is packed in a way that is not taken here. */
export class UnsupportedCoding extends ServiceError {
  constructor() {
    super('unsupported_coding', 'Content-Encoding must be gzip or absent')
  }
}

/** The body is of a media type that the route does not take. */
export class UnsupportedType extends ServiceError {
  readonly statusCode = 415

  constructor() {
    super('unsupported_type', 'Content-Type must be one that the route takes')
  }
}

/** Replaces Fastify's parsers: they keep the last of two keys, quote what they could not read, and take plain text. */
export const takeJsonBodies = (app: FastifyInstance): void => {
  app.removeAllContentTypeParsers()
  app.addContentTypeParser(JSON_TYPE, { parseAs: 'buffer' }, (request, bytes: Buffer, done) => {
    const isNothing = bytes.length === 0 && request.routeOptions.schema?.body === undefined
    const body = isNothing ? undefined : readJsonBody(bytes)
    refuseUnkeepable(body)
    done(null, body)
  })
  app.addHook('preParsing', unpackBody)
}

/** Throws InvalidRequest, without what the body holds: it may be a message's text. */
export const readJsonBody = (bytes: Uint8Array): unknown => {
  try {
    return readJson(bytes)
  } catch (error) {
    if (!(error instanceof InvalidJson)) throw error
    const { expected, place } = error
    const at = place === undefined ? '' : ` (line ${place.line}, column ${place.column})`
    throw new InvalidRequest('body', `${expected}${at}`)
  }
}

/** The body is larger than the route takes; handleError knows it by its status. */
class BodyTooLarge extends Error {
  readonly statusCode = 413
}

export const brokenOff = (): InvalidRequest => new InvalidRequest('body', 'whole: it broke off')

type CollectNeeds = {
  readonly response: ServerResponse
  readonly bytesMax: number
  readonly share: IntakeShare
}

/**
 * The whole body, as it came or unpacked. What is not taken, for its size or because there is no room, is dropped as it
 * arrives: to close the connection would reset it, and the answer with it. Throws StoreBusy.
 */
export const collectBody = async (
  request: FastifyRequest,
  { response, bytesMax, share }: CollectNeeds,
): Promise<Uint8Array> => {
  const { body } = request
  if (!(body instanceof Readable)) return new Uint8Array()
  const announced = Number(request.headers['content-length'] ?? 0)
  if (announced > bytesMax) throw new BodyTooLarge()
  if (!share.hasRoom(Math.min(announced, CHUNK_BYTES))) throw new StoreBusy(BUSY)
  const collected = new CollectedBytes()
  await new Promise<void>((resolve, reject) => {
    const give = (reason: unknown): void => {
      body.off('data', take)
      body.resume()
      // The request may live on for a while, and with it what listens to it.
      collected.clear()
      reject(reason)
    }
    const take = (chunk: Uint8Array): void => {
      const { receivedEncodedLength = 0 } = body as Partial<Unpacked>
      if (Math.max(collected.length + chunk.length, receivedEncodedLength) > bytesMax) give(new BodyTooLarge())
      else if (share.hold(chunk.length)) collected.push(chunk)
      else give(new StoreBusy(BUSY))
    }
    // A request that was answered elsewhere, as too slow or as no valid HTTP, neither ends nor closes.
    const breakOff = (): void => give(brokenOff())
    body.on('data', take)
    body.on('end', () => {
      response.off('close', breakOff)
      resolve()
    })
    body.on('error', (error) => give(error instanceof ServiceError ? error : brokenOff()))
    response.on('close', breakOff)
  })
  return collected.take()
}

/** What Node.js reads of a socket at once. */
const CHUNK_BYTES = 64 * 1024

/** Whatever the depth: JSON may be nested deeper than the stack of calls. */
const refuseUnkeepable = (body: unknown): void => {
  const waiting: { readonly value: unknown; readonly field: string }[] = [{ value: body, field: 'body' }]
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const { value, field } = next
    if (typeof value === 'string') {
      if (!isPlainText(value)) throw new InvalidRequest(field, PLAIN_TEXT)
    } else if (typeof value === 'object' && value !== null) {
      for (const [key, each] of Object.entries(value)) {
        waiting.push({ value: each, field: `${field}/${key.slice(0, FIELD_SHOWN_MAX)}` })
      }
    }
  }
}

const FIELD_SHOWN_MAX = 50

/** Nothing is unpacked before it is read, nor more than is read: a body that grows without end ends at the limit. */
const unpackBody: preParsingHookHandler = (request, reply, payload, done) => {
  const { headers } = request
  const coding = headers['content-encoding']?.trim().toLowerCase() ?? ''
  const isKnown = request.routeOptions.schema?.body === undefined || typesTaken(request).includes(mediaTypeOf(headers))
  if (hasBody(headers) && !isKnown) done(new UnsupportedType())
  else if (!hasBody(headers) || coding === '' || coding === 'identity') done(null, payload)
  else if (!isGzip(headers)) done(new UnsupportedCoding())
  else {
    const unpacked = unpack(request.raw, () => reply.raw.writableEnded)
    reply.raw.on('close', () => unpacked.destroy())
    done(null, unpacked)
  }
}

/** With what Fastify compares to Content-Length. */
type Unpacked = Readable & { readonly receivedEncodedLength: number }

const unpack = (packed: IncomingMessage, isAnswered: () => boolean): Unpacked => {
  const gunzip = createGunzip()
  const stop = (): void => {
    if (!packed.complete) gunzip.destroy(new Error('the body broke off'))
  }
  async function* read(): AsyncGenerator<Buffer> {
    packed.on('close', stop)
    packed.pipe(gunzip)
    try {
      for await (const chunk of gunzip) {
        // What was refused for its size is not unpacked to its end.
        if (isAnswered()) return
        yield chunk as Buffer
      }
    } catch (error) {
      const isPacking = error instanceof Error && 'code' in error && String(error.code).startsWith('Z_')
      throw isPacking ? new InvalidRequest('body', 'whole and unbroken gzip, as Content-Encoding says') : error
    } finally {
      packed.off('close', stop)
      packed.unpipe(gunzip)
      gunzip.destroy()
      packed.resume()
    }
  }
  const unpacked = Readable.from(read(), { objectMode: false })
  return Object.defineProperty(unpacked, 'receivedEncodedLength', { get: () => gunzip.bytesWritten }) as Unpacked
}

/** Media types of the bodies that a route takes. */
export const typesTaken = ({ routeOptions }: FastifyRequest): readonly string[] => {
  const body = routeOptions.schema?.body as { readonly content?: Readonly<Record<string, unknown>> } | undefined
  return body?.content === undefined ? [JSON_TYPE] : Object.keys(body.content)
}
