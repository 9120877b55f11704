/**
 * Reads OTLP requests in protobuf. The numbers are those of opentelemetry-proto 1.x; a field without a number here is skipped and
 * never decoded.
 */
import { isUtf8 } from 'node:buffer'
import { BinaryReader, WireType } from '@bufbuild/protobuf/wire'
import { InvalidRequest } from '#model/errors.ts'
import {
  type Attributes,
  type AttributeValue,
  checkRoom,
  FAILED,
  type LogRecord,
  type Span,
  type Wanted,
} from './records.ts'

const REQUEST = { resources: 1 }
const OF_RESOURCE = { resource: 1, scopes: 2 }
const RESOURCE = { attributes: 1 }
const OF_SCOPE = { scope: 1, records: 2 }
const SCOPE = { name: 1 }
const SPAN = { traceId: 1, spanId: 2, parentSpanId: 4, name: 5, end: 8, attributes: 9, status: 15 }
const STATUS = { code: 3 }
const LOG = { time: 1, body: 5, attributes: 6, traceId: 9, spanId: 10, observed: 11, event: 12 }
const KEY_VALUE = { key: 1, value: 2 }
const ANY_VALUE = { string: 1, bool: 2, int: 3, double: 4 }

const TRACE_ID_BYTES = 16
const SPAN_ID_BYTES = 8

/** Throws InvalidRequest. */
export const readProtobufSpans = (bytes: Uint8Array, wanted: Wanted): readonly Span[] =>
  readRecords(bytes, wanted, readSpan)

/** Throws InvalidRequest. */
export const readProtobufLogs = (bytes: Uint8Array, wanted: Wanted): readonly LogRecord[] =>
  readRecords(bytes, wanted, readLog)

type Input = { readonly reader: BinaryReader; readonly bytes: Buffer; readonly wanted: Wanted }
type Around = { readonly scope: string; readonly resource: Attributes }
/** Reads a message that begins at the reader's position. */
type Read<T> = (input: Input, end: number) => T

const readRecords = <T>(bytes: Uint8Array, wanted: Wanted, read: Read<T>): readonly (T & Around)[] => {
  const input: Input = {
    reader: new BinaryReader(bytes),
    bytes: Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length),
    wanted,
  }
  const records: (T & Around)[] = []
  try {
    for (const ofResource of messagesIn(input, WHOLE, REQUEST.resources)) {
      const resource = resourceIn(input, ofResource)
      for (const ofScope of messagesIn(input, ofResource, OF_RESOURCE.scopes)) {
        const scope = scopeIn(input, ofScope)
        for (const { start, end } of messagesIn(input, ofScope, OF_SCOPE.records)) {
          checkRoom(records)
          input.reader.pos = start
          records.push({ ...read(input, end), scope, resource })
        }
      }
    }
  } catch (error) {
    if (isBadProtobuf(error)) throw new InvalidRequest('body', 'a valid protobuf message of OTLP')
    throw error
  }
  return records
}

/** The reader throws plain errors and RangeErrors if the bytes do not add up to messages. */
const isBadProtobuf = (error: unknown): boolean =>
  error instanceof RangeError || (error instanceof Error && error.constructor === Error)

type Message = { readonly start: number; readonly end: number }
const WHOLE: Message = { start: 0, end: Number.POSITIVE_INFINITY }

/** The messages in one field. Whoever wants another field goes through all of them again, because fields may come in any order. */
function* messagesIn(input: Input, { start, end }: Message, wantedField: number): Generator<Message> {
  const { reader, bytes } = input
  const stop = Math.min(end, bytes.length)
  let at = start
  while (at < stop) {
    reader.pos = at
    const [field, type] = reader.tag()
    const isWanted = field === wantedField && type === WireType.LengthDelimited
    const message = isWanted ? passOver(input) : undefined
    if (message === undefined) reader.skip(type, field)
    at = reader.pos
    if (message !== undefined) yield message
  }
  if (at !== stop) throw new RangeError('a field is longer than its message')
}

const resourceIn = (input: Input, ofResource: Message): Attributes => {
  const attributes = new Map<string, AttributeValue>()
  for (const message of messagesIn(input, ofResource, OF_RESOURCE.resource)) {
    for (const { start, end } of messagesIn(input, message, RESOURCE.attributes)) {
      input.reader.pos = start
      readAttribute(input, end, attributes)
    }
  }
  return attributes
}

const scopeIn = (input: Input, ofScope: Message): string => {
  let name = ''
  for (const { start, end } of messagesIn(input, ofScope, OF_SCOPE.scope)) {
    input.reader.pos = start
    forEachField(input, end, (field, type) => {
      if (field !== SCOPE.name || type !== WireType.LengthDelimited) return false
      name = textOf(input, passOver(input))
      return true
    })
  }
  return name
}

const readSpan: Read<Omit<Span, keyof Around>> = (input, end) => {
  const { reader, wanted } = input
  const attributes = new Map<string, AttributeValue>()
  let [traceId, spanId, parentSpanId, name, endNanos, hasFailed] = ['', '', '', '', 0n, false]
  forEachField(input, end, (field, type) => {
    if (type === WireType.Bit64 && field === SPAN.end) endNanos = BigInt(reader.fixed64())
    else if (type !== WireType.LengthDelimited) return false
    else if (field === SPAN.attributes) within(input, (inner) => readAttribute(input, inner, attributes))
    else if (field === SPAN.traceId) traceId = idOf(input, TRACE_ID_BYTES)
    else if (field === SPAN.spanId) spanId = idOf(input, SPAN_ID_BYTES)
    else if (field === SPAN.parentSpanId) parentSpanId = idOf(input, SPAN_ID_BYTES)
    else if (field === SPAN.name) name = nameOf(input, passOver(input), wanted.spanNames)
    else if (field === SPAN.status) hasFailed = within(input, (inner) => isFailure(input, inner))
    else return false
    return true
  })
  return { traceId, spanId, parentSpanId, name, endNanos, hasFailed, attributes }
}

const isFailure = (input: Input, end: number): boolean => {
  let code = 0
  forEachField(input, end, (field, type) => {
    if (field !== STATUS.code || type !== WireType.Varint) return false
    code = input.reader.int32()
    return true
  })
  return code === FAILED
}

const readLog: Read<Omit<LogRecord, keyof Around>> = (input, end) => {
  const { reader, wanted } = input
  const attributes = new Map<string, AttributeValue>()
  let [traceId, spanId, event, body, time, observed] = ['', '', '', '', 0n, 0n]
  forEachField(input, end, (field, type) => {
    if (type === WireType.Bit64 && field === LOG.time) time = BigInt(reader.fixed64())
    else if (type === WireType.Bit64 && field === LOG.observed) observed = BigInt(reader.fixed64())
    else if (type !== WireType.LengthDelimited) return false
    else if (field === LOG.attributes) within(input, (inner) => readAttribute(input, inner, attributes))
    else if (field === LOG.traceId) traceId = idOf(input, TRACE_ID_BYTES)
    else if (field === LOG.spanId) spanId = idOf(input, SPAN_ID_BYTES)
    else if (field === LOG.event) event = nameOf(input, passOver(input), wanted.events)
    else if (field === LOG.body) body = within(input, (inner) => bodyOf(input, inner))
    else return false
    return true
  })
  return { traceId, spanId, event: event || body, nanos: time || observed, attributes }
}

/** A body is a prompt or an answer unless it names an event. */
const bodyOf = (input: Input, end: number): string => {
  let text = ''
  forEachField(input, end, (field, type) => {
    if (field !== ANY_VALUE.string || type !== WireType.LengthDelimited) return false
    text = nameOf(input, passOver(input), input.wanted.events)
    return true
  })
  return text
}

const readAttribute = (input: Input, end: number, into: Map<string, AttributeValue>): void => {
  let key: string | undefined
  let value: Message | undefined
  forEachField(input, end, (field, type) => {
    if (type !== WireType.LengthDelimited) return false
    if (field === KEY_VALUE.key) key = nameOf(input, passOver(input), input.wanted.attributes)
    else if (field === KEY_VALUE.value) value = passOver(input)
    else return false
    return true
  })
  if (!key || value === undefined) return
  input.reader.pos = value.start
  const read = readValue(input, value.end)
  if (read !== undefined) into.set(key, read)
}

/** Undefined for lists, maps and bytes. */
const readValue = (input: Input, end: number): AttributeValue | undefined => {
  const { reader } = input
  let value: AttributeValue | undefined
  forEachField(input, end, (field, type) => {
    if (field === ANY_VALUE.string && type === WireType.LengthDelimited) value = textOf(input, passOver(input))
    else if (field === ANY_VALUE.bool && type === WireType.Varint) value = reader.bool()
    else if (field === ANY_VALUE.int && type === WireType.Varint) value = Number(reader.int64())
    else if (field === ANY_VALUE.double && type === WireType.Bit64) value = reader.double()
    else return false
    return true
  })
  return value
}

/** Calls `visit` with each field from the reader's position on. True means that it has read the value; otherwise it is skipped. */
const forEachField = ({ reader }: Input, end: number, visit: (field: number, type: WireType) => boolean): void => {
  while (reader.pos < end) {
    const [field, type] = reader.tag()
    if (!visit(field, type)) reader.skip(type, field)
  }
  if (reader.pos !== end) throw new RangeError('a field is longer than its message')
}

/** Moves past a message, or a text, without reading it. */
const passOver = ({ reader, bytes }: Input): Message => {
  const length = reader.uint32()
  const start = reader.pos
  if (length > bytes.length - start) throw new RangeError('a field is longer than the request')
  reader.pos = start + length
  return { start, end: start + length }
}

const within = <T>(input: Input, read: (end: number) => T): T => {
  const { start, end } = passOver(input)
  input.reader.pos = start
  const value = read(end)
  input.reader.pos = end
  return value
}

const textOf = ({ bytes }: Input, { start, end }: Message): string => {
  if (isAscii(bytes, start, end)) return bytes.toString('latin1', start, end)
  if (!isUtf8(bytes.subarray(start, end))) throw new RangeError('a text is not UTF-8')
  return bytes.toString('utf8', start, end)
}

/** Most texts are short and ASCII, and reading those as such saves a view of the bytes (`bench otlp`). */
const isAscii = (bytes: Uint8Array, start: number, end: number): boolean => {
  if (end - start > NAME_BYTES_MAX) return false
  for (let at = start; at < end; at++) if ((bytes[at] ?? 0) > 0x7f) return false
  return true
}

/** The text, if it is one of the wanted names, which are ASCII; otherwise the empty text. */
const nameOf = ({ bytes }: Input, { start, end }: Message, names: ReadonlySet<string>): string => {
  if (end - start > NAME_BYTES_MAX) return ''
  const name = bytes.toString('latin1', start, end)
  return names.has(name) ? name : ''
}

const NAME_BYTES_MAX = 100

const idOf = (input: Input, bytesWanted: number): string => {
  const { start, end } = passOver(input)
  return end - start === bytesWanted ? input.bytes.toString('hex', start, end) : ''
}
