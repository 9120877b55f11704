/** Reads OTLP requests in JSON: names in camelCase, ids in hex, whole numbers of 64 bits as strings or numbers. */
import { InvalidJson, readJson } from '#formats/json.ts'
import { hasMoreValues, isJsonObject, type JsonObject } from '#formats/json-values.ts'
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

/** Throws InvalidRequest, which never quotes the body. */
export const readJsonSpans = (bytes: Uint8Array, wanted: Wanted): readonly Span[] =>
  readRecords(
    bytes,
    ['resourceSpans', 'scopeSpans', 'spans'],
    (record, at, around) => ({
      ...around,
      traceId: idIn(record, at, 'traceId', TRACE_ID),
      spanId: idIn(record, at, 'spanId', SPAN_ID),
      parentSpanId: idIn(record, at, 'parentSpanId', SPAN_ID),
      name: nameIn(record['name'], wanted.spanNames),
      endNanos: nanosIn(record, at, 'endTimeUnixNano'),
      hasFailed: isFailure(objectIn(record, at, 'status')['code']),
      attributes: attributesIn(record, at, wanted),
    }),
    wanted,
  )

/** Throws InvalidRequest, which never quotes the body. */
export const readJsonLogs = (bytes: Uint8Array, wanted: Wanted): readonly LogRecord[] =>
  readRecords(
    bytes,
    ['resourceLogs', 'scopeLogs', 'logRecords'],
    (record, at, around) => ({
      ...around,
      traceId: idIn(record, at, 'traceId', TRACE_ID),
      spanId: idIn(record, at, 'spanId', SPAN_ID),
      event:
        nameIn(record['eventName'], wanted.events) ||
        nameIn(objectIn(record, at, 'body')['stringValue'], wanted.events),
      nanos: nanosIn(record, at, 'timeUnixNano') || nanosIn(record, at, 'observedTimeUnixNano'),
      attributes: attributesIn(record, at, wanted),
    }),
    wanted,
  )

type Around = { readonly scope: string; readonly resource: Attributes }

const readRecords = <T>(
  bytes: Uint8Array,
  [ofResources, ofScopes, ofRecords]: readonly [string, string, string],
  read: (record: JsonObject, at: string, around: Around) => T,
  wanted: Wanted,
): readonly T[] => {
  const body = bytes.length === 0 ? {} : objectOf(parse(bytes), 'body')
  const records: T[] = []
  for (const [ofResource, inResource] of objectsIn(body, 'body', ofResources)) {
    const resource = attributesIn(objectIn(ofResource, inResource, 'resource'), `${inResource}/resource`, wanted)
    for (const [ofScope, inScope] of objectsIn(ofResource, inResource, ofScopes)) {
      const name = objectIn(ofScope, inScope, 'scope')['name']
      const around = { resource, scope: typeof name === 'string' ? name : '' }
      for (const [record, at] of objectsIn(ofScope, inScope, ofRecords)) {
        checkRoom(records)
        records.push(read(record, at, around))
      }
    }
  }
  return records
}

const parse = (bytes: Uint8Array): unknown => {
  if (hasMoreValues(bytes, VALUES_MAX))
    throw new InvalidRequest('body', `a request of at most ${VALUES_MAX} objects and arrays`)
  try {
    return readJson(bytes)
  } catch (error) {
    if (!(error instanceof InvalidJson)) throw error
    throw new InvalidRequest('body', error.expected)
  }
}

/** 20 MiB of the shortest would be 7 million: a gigabyte, and seconds in which nobody else is served. */
const VALUES_MAX = 1_000_000

const objectOf = (value: unknown, at: string): JsonObject => {
  if (!isJsonObject(value)) throw new InvalidRequest(at, 'an object')
  return value
}

/** `null` means absent, as in every JSON form of protobuf. */
const objectIn = (parent: JsonObject, at: string, name: string): JsonObject => {
  const value = parent[name] ?? NOTHING
  return objectOf(value, `${at}/${name}`)
}

const NOTHING: JsonObject = {}

/** The objects in a list, each with its place. */
function* objectsIn(parent: JsonObject, at: string, name: string): Generator<readonly [JsonObject, string]> {
  const list = parent[name] ?? []
  if (!Array.isArray(list)) throw new InvalidRequest(`${at}/${name}`, 'an array')
  for (const [index, each] of list.entries()) {
    const place = `${at}/${name}/${index}`
    yield [objectOf(each, place), place]
  }
}

const attributesIn = (parent: JsonObject, at: string, { attributes: names }: Wanted): Attributes => {
  const attributes = new Map<string, AttributeValue>()
  const list = parent['attributes'] ?? []
  if (!Array.isArray(list)) throw new InvalidRequest(`${at}/attributes`, 'an array')
  for (const [index, each] of list.entries()) {
    if (!isJsonObject(each)) throw new InvalidRequest(`${at}/attributes/${index}`, 'an object')
    const { key, value } = each
    if (typeof key !== 'string' || !names.has(key) || !isJsonObject(value)) continue
    const read = scalarOf(value)
    if (read !== undefined) attributes.set(key, read)
  }
  return attributes
}

/** Undefined for lists, maps and bytes. */
const scalarOf = ({ stringValue, boolValue, intValue, doubleValue }: JsonObject): AttributeValue | undefined => {
  if (typeof stringValue === 'string') return stringValue
  if (typeof boolValue === 'boolean') return boolValue
  const number = intValue ?? doubleValue
  if (typeof number === 'number') return number
  if (typeof number !== 'string') return undefined
  return /^-?\d+$/.test(number) ? Number(number) : Number.NaN
}

const TRACE_ID = /^[0-9a-f]{32}$/i
const SPAN_ID = /^[0-9a-f]{16}$/i

const idIn = (parent: JsonObject, at: string, name: string, pattern: RegExp): string => {
  const value = parent[name] ?? ''
  if (typeof value !== 'string') throw new InvalidRequest(`${at}/${name}`, 'a string of hex digits')
  return pattern.test(value) ? value.toLowerCase() : ''
}

const nameIn = (value: unknown, names: ReadonlySet<string>): string =>
  typeof value === 'string' && names.has(value) ? value : ''

const NANOS = 'a whole number of nanoseconds from 0 to 2^64 - 1'

/** A number above 2^53 has lost its last digits, about 100 nanoseconds. */
const nanosIn = (parent: JsonObject, at: string, name: string): bigint => {
  const value = parent[name] ?? 0
  const isWhole =
    typeof value === 'string' ? /^\d{1,20}$/.test(value) : Number.isInteger(value) && (value as number) >= 0
  const nanos = isWhole ? BigInt(value as string | number) : -1n
  if (nanos < 0n || nanos > NANOS_MAX) throw new InvalidRequest(`${at}/${name}`, NANOS)
  return nanos
}

const NANOS_MAX = 2n ** 64n - 1n

/** The protocol sends numbers; senders that print protobuf as JSON send names. */
const isFailure = (code: unknown): boolean => code === FAILED || code === 'STATUS_CODE_ERROR'
