/** Converts CloudEvents 1.0 (https://github.com/cloudevents/spec/tree/v1.0.2) to the messages of `POST /v1/messages`. */
import { isUtf8 } from 'node:buffer'
import { InvalidJson, readJson } from '#formats/json.ts'
import type { Rejection } from '#intake/incoming-message.ts'
import { MESSAGE_FIELDS } from '#intake/message-fields.ts'
import { InvalidRequest } from '#model/errors.ts'

export const STRUCTURED = 'application/cloudevents+json'
export const BATCH = 'application/cloudevents-batch+json'
export const MESSAGE_TYPE = 'copilot.message'

/** Attributes and `data` of an event, as in its JSON format. */
type Event = Readonly<Record<string, unknown>>

export type MessageEntry = Readonly<Record<string, unknown>>

/** Reads an event in binary mode: attributes from `ce-…` headers, data from the body. Throws InvalidRequest. */
export const eventOfHeaders = (headers: Readonly<NodeJS.Dict<readonly string[]>>, data: unknown): Event => {
  const attributes = Object.entries(headers).flatMap(([name, values = []]) => {
    if (!name.startsWith('ce-')) return []
    const [value = '', ...more] = values
    if (more.length > 0) throw new InvalidRequest(`header ${name}`, 'sent only once')
    return [[name.slice(3), decodeHeader(name, value)] as const]
  })
  return { ...Object.fromEntries(attributes), data }
}

/**
 * HTTP protocol binding, 3.1.3.2: removes quotes, then decodes percent-encoded UTF-8 once. Some senders do not encode, the
 * JavaScript SDK among them. So a percent sign that starts no valid code stands for itself, and non-ASCII bytes are read as
 * UTF-8, or as ISO-8859-1 if they are not valid UTF-8.
 */
const decodeHeader = (name: string, sent: string): string => {
  try {
    return unquoted(readBytes(sent)).replace(/(?:%[0-9a-f]{2})+/gi, decodeURIComponent)
  } catch (error) {
    if (error instanceof URIError) throw new InvalidRequest(`header ${name}`, 'valid UTF-8 after percent-decoding')
    if (error instanceof Unquotable)
      throw new InvalidRequest(`header ${name}`, 'either one complete quoted string or unquoted')
    throw error
  }
}

/** Node.js decodes header bytes as ISO-8859-1. */
const readBytes = (latin1: string): string => {
  const bytes = Buffer.from(latin1, 'latin1')
  return isUtf8(bytes) ? bytes.toString('utf8') : latin1
}

class Unquotable extends Error {}

const unquoted = (value: string): string => {
  if (!value.startsWith('"')) return value
  const [, inner] = /^"((?:[^"\\]|\\.)*)"$/.exec(value) ?? []
  if (inner === undefined) throw new Unquotable()
  return inner.replace(/\\(.)/g, '$1')
}

/** The message that an event describes. Its id is the identity of the event: source, a space and id. */
export const toEntry = (event: unknown): MessageEntry | Rejection => {
  if (typeof event !== 'object' || event === null || Array.isArray(event)) {
    return { field: '', reason: 'must be a CloudEvent, which is a JSON object' }
  }
  const { specversion, type, source, id, time, subject } = event as Event
  if (specversion !== '1.0') return { field: 'specversion', reason: 'must be "1.0"' }
  if (type !== MESSAGE_TYPE) return { field: 'type', reason: `must be "${MESSAGE_TYPE}"` }
  if (typeof source !== 'string' || source === '' || /\s/.test(source)) {
    return { field: 'source', reason: 'must be a URI reference, without whitespace' }
  }
  if (typeof id !== 'string' || id === '') return { field: 'id', reason: 'must be a non-empty string' }
  const messageId = `${source} ${id}`
  if ([...messageId].length > 200) {
    return { field: 'id', reason: 'must be at most 199 characters long together with source' }
  }
  const { content, reason } = dataOf(event as Event)
  if (content === undefined) return { id: messageId, field: 'data', reason }
  const unknown = Object.keys(content).find((field) => !DATA_FIELDS.includes(field))
  if (unknown !== undefined) {
    const reason = `must be absent: data has only ${DATA_FIELDS.join(', ').replace(/, (?=[^,]*$)/, ' and ')}`
    return { id: messageId, field: `data.${unknown.slice(0, 50)}`, reason }
  }
  return { id: messageId, timestamp: time, ...content, ...(subject === undefined ? {} : { user_id: subject }) }
}

/** The fields of a message that stand in `data`; an event has the others as attributes of its own. */
const DATA_FIELDS: readonly string[] = ['text', 'report_id', ...MESSAGE_FIELDS.map(({ name }) => name)]

type Data =
  | { readonly content: Readonly<Record<string, unknown>>; readonly reason?: undefined }
  | { readonly content?: undefined; readonly reason: string }

/** Reads `data`, or base64-encoded JSON from `data_base64`. `null` means absent, as for every attribute. */
const dataOf = ({ data, data_base64: base64 }: Event): Data => {
  if (base64 === undefined || base64 === null) return toData(data)
  if (data !== undefined) return { reason: 'must be absent if data_base64 is present' }
  const bytes = typeof base64 === 'string' ? Buffer.from(base64, 'base64') : undefined
  if (bytes === undefined || bytes.toString('base64') !== base64) {
    return { reason: 'must be base64-encoded JSON (RFC 4648, padded) if sent as data_base64' }
  }
  try {
    return toData(readJson(bytes))
  } catch (error) {
    if (error instanceof InvalidJson) return { reason: error.message }
    throw error
  }
}

const toData = (data: unknown): Data => {
  const isObject = typeof data === 'object' && data !== null && !Array.isArray(data)
  return isObject
    ? { content: data as Readonly<Record<string, unknown>> }
    : { reason: 'must be a JSON object {text?, report_id?, …}' }
}

const EVENT_FIELDS: Readonly<Record<string, string>> = { timestamp: 'time', user_id: 'subject' }

/** Renames the field of a rejection to that of the event. */
export const toEventRejection = <T extends { readonly field: string }>(rejection: T): T => {
  const { field } = rejection
  const [name = ''] = field.split('.')
  return { ...rejection, field: DATA_FIELDS.includes(name) ? `data.${field}` : (EVENT_FIELDS[field] ?? field) }
}
