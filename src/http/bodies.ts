/** Request bodies: checks the media type, decompresses, and parses JSON with our own reader. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { Readable } from 'node:stream'
import { createGunzip } from 'node:zlib'
import type { FastifyInstance, FastifyRequest, preParsingHookHandler } from 'fastify'
import { CollectedBytes } from '#formats/collected-bytes.ts'
import { InvalidJson, type JsonPath, readJson, toPathText } from '#formats/json.ts'
import { roundedIn } from '#formats/json-numbers.ts'
import { InvalidRequest, ServiceError, StoreBusy } from '#model/errors.ts'
import { isPlainText, PLAIN_TEXT } from '#model/plain-text.ts'
import { BUSY, type IntakeShare } from './intake-gate.ts'
import { hasBody, isGzip, JSON_TYPE, mediaTypeOf } from './media-types.ts'

/** The body has a media type or a content coding that the route does not accept. The headers of the answer say which it does. */
export class UnsupportedBody extends ServiceError {
  readonly headers: Readonly<Record<string, string>>

  constructor(message: string, headers: Readonly<Record<string, string>>) {
    super('unsupported-media-type', message)
    this.headers = headers
  }
}

export const unsupportedType = (request: FastifyRequest): UnsupportedBody => {
  const types = typesTaken(request)
  const sent = request.headers['content-type']?.slice(0, TYPE_SHOWN_MAX)
  const expected = types.join(', ').replace(/, (?=[^,]*$)/, ' or ')
  const message =
    sent === undefined
      ? `The Content-Type header is missing. It must be ${expected}.`
      : `The Content-Type header must be ${expected}, not ${sent}.`
  return new UnsupportedBody(message, { accept: types.join(', ') })
}

const TYPE_SHOWN_MAX = 100

const unsupportedCoding = (): UnsupportedBody =>
  new UnsupportedBody('The Content-Encoding header must be gzip or absent.', { 'accept-encoding': 'gzip' })

export class BodyTooLarge extends ServiceError {
  constructor(bytesMax: number) {
    super('payload-too-large', `The request body must be at most ${bytesMax} bytes.`)
  }
}

/**
 * Replaces Fastify's parsers: they keep the last of two equal keys, round numbers, quote the body in their errors, and accept plain
 * text.
 */
export const takeJsonBodies = (app: FastifyInstance): void => {
  app.removeAllContentTypeParsers()
  app.addContentTypeParser(JSON_TYPE, { parseAs: 'buffer' }, (request, bytes: Buffer, done) => {
    const isNothing = bytes.length === 0 && request.routeOptions.schema?.body === undefined
    const body = isNothing ? undefined : readJsonBody(bytes)
    rejectUnstorable(body)
    rejectRounded(bytes)
    done(null, body)
  })
  app.addHook('preParsing', unpackBody)
}

/** Throws InvalidRequest, which never quotes the body: it may hold the text of a message. */
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

/** Throws InvalidRequest if a number where it `counts`, such as a price, is not exactly the one that was sent. */
export const rejectRounded = (bytes: Uint8Array, counts?: (path: JsonPath) => boolean): void => {
  const path = roundedIn(bytes, counts)
  if (path !== undefined)
    throw new InvalidRequest(toPathText(path), 'a number that fits a 64-bit float without losing digits')
}

export const bodyIncomplete = (): InvalidRequest => new InvalidRequest('body', 'complete: it ended early')

type CollectNeeds = {
  readonly response: ServerResponse
  readonly bytesMax: number
  readonly share: IntakeShare
}

/**
 * Collects the whole body, decompressed. A body that is too large, or for which there is no room, is read and discarded:
 * closing the connection would reset it, and the client could lose the response. Throws StoreBusy.
 */
export const collectBody = async (
  request: FastifyRequest,
  { response, bytesMax, share }: CollectNeeds,
): Promise<Uint8Array> => {
  const { body } = request
  if (!(body instanceof Readable)) return new Uint8Array()
  const declared = Number(request.headers['content-length'] ?? 0)
  if (declared > bytesMax) throw new BodyTooLarge(bytesMax)
  if (!share.hasRoom(Math.min(declared, CHUNK_BYTES))) throw new StoreBusy(BUSY)
  const collected = new CollectedBytes()
  try {
    await readBody(body, response, (chunk) => {
      const { receivedEncodedLength = 0 } = body as Partial<Unpacked>
      if (Math.max(collected.length + chunk.length, receivedEncodedLength) > bytesMax) throw new BodyTooLarge(bytesMax)
      if (!share.hold(chunk.length)) throw new StoreBusy(BUSY)
      collected.push(chunk)
      return true
    })
  } catch (error) {
    // The request, and with it its listeners, may live on for a while: do not keep the bytes alive.
    collected.clear()
    throw error
  }
  return collected.take()
}

/** Hands each chunk of the body, decompressed, to `take`, until it returns false or throws. The rest is read and discarded. */
export const readBody = (
  body: Readable,
  response: ServerResponse,
  take: (chunk: Uint8Array) => boolean,
): Promise<void> =>
  new Promise((resolve, reject) => {
    const stop = (): void => {
      body.off('data', onData)
      body.resume()
    }
    const fail = (reason: unknown): void => {
      stop()
      reject(reason)
    }
    const onData = (chunk: Uint8Array): void => {
      try {
        if (take(chunk)) return
        stop()
        resolve()
      } catch (error) {
        fail(error)
      }
    }
    // `server.ts` answers a request that is too slow or not valid HTTP. Such a request emits neither `end` nor `close`.
    const onClose = (): void => fail(bodyIncomplete())
    body.on('data', onData)
    body.on('end', () => {
      response.off('close', onClose)
      resolve()
    })
    body.on('error', (error) => fail(error instanceof ServiceError ? error : bodyIncomplete()))
    response.on('close', onClose)
  })

/** The most that Node.js reads from a socket at once. */
const CHUNK_BYTES = 64 * 1024

/** Throws InvalidRequest if a store could not keep a string. Iterative, because JSON may be nested deeper than the call stack. */
const rejectUnstorable = (body: unknown): void => {
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

/** Decompresses only as much as the route reads, so a decompression bomb stops at the size limit. */
const unpackBody: preParsingHookHandler = (request, reply, payload, done) => {
  const { headers } = request
  const coding = headers['content-encoding']?.trim().toLowerCase() ?? ''
  const isKnown = request.routeOptions.schema?.body === undefined || typesTaken(request).includes(mediaTypeOf(headers))
  if (hasBody(headers) && !isKnown) done(unsupportedType(request))
  else if (!hasBody(headers) || coding === '' || coding === 'identity') done(null, payload)
  else if (!isGzip(headers)) done(unsupportedCoding())
  else {
    const unpacked = unpack(request.raw, () => reply.raw.writableEnded)
    reply.raw.on('close', () => unpacked.destroy())
    done(null, unpacked)
  }
}

/** Fastify compares `receivedEncodedLength` with Content-Length. */
type Unpacked = Readable & { readonly receivedEncodedLength: number }

const unpack = (packed: IncomingMessage, isAnswered: () => boolean): Unpacked => {
  const gunzip = createGunzip()
  const stop = (): void => {
    if (!packed.complete) gunzip.destroy(new Error('the body ended early'))
  }
  async function* read(): AsyncGenerator<Buffer> {
    packed.on('close', stop)
    packed.pipe(gunzip)
    try {
      for await (const chunk of gunzip) {
        // Once the request is answered, for example because it is too large, the rest is not decompressed.
        if (isAnswered()) return
        yield chunk as Buffer
      }
    } catch (error) {
      const isPacking = error instanceof Error && 'code' in error && String(error.code).startsWith('Z_')
      throw isPacking ? new InvalidRequest('body', 'complete, valid gzip, as Content-Encoding says') : error
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

/** The media types that a route accepts. */
const typesTaken = ({ routeOptions }: FastifyRequest): readonly string[] => {
  const body = routeOptions.schema?.body as { readonly content?: Readonly<Record<string, unknown>> } | undefined
  return body?.content === undefined ? [JSON_TYPE] : Object.keys(body.content)
}
