/** CloudEvents 1.0 (https://github.com/cloudevents/spec/tree/v1.0.2): events → entries as `POST /v1/messages` takes them. */
import type { IncomingHttpHeaders } from 'node:http'
import type { Rejection } from '#metering/incoming-message.ts'

export const STRUCTURED = 'application/cloudevents+json'
export const BATCH = 'application/cloudevents-batch+json'
export const MESSAGE_TYPE = 'copilot.message'

/** Attributes and `data` of an event, as its JSON form has them. */
type Event = Readonly<Record<string, unknown>>

export type MessageEntry = Readonly<Record<string, unknown>>

/** An event in binary mode: attributes in headers `ce-…`, the data in the body. */
export const eventOfHeaders = (headers: IncomingHttpHeaders, data: unknown): Event => {
  const attributes = Object.entries(headers).flatMap(([name, value]) =>
    name.startsWith('ce-') && typeof value === 'string' ? [[name.slice(3), decodeHeader(value)] as const] : [],
  )
  return { ...Object.fromEntries(attributes), data }
}

/** HTTP binding, 3.1.3.2: percent-encoded where a character is not printable ASCII. What is not well encoded stays as it is. */
const decodeHeader = (value: string): string => {
  try {
    return decodeURIComponent(value)
  } catch {
    return value
  }
}

/** The entry that an event stands for. The message's id is the event's identity: its source, a space, and its id. */
export const toEntry = (event: unknown): MessageEntry | Rejection => {
  if (typeof event !== 'object' || event === null || Array.isArray(event)) {
    return { field: '', reason: 'must be a CloudEvent' }
  }
  const { specversion, type, source, id, time, subject, data } = event as Event
  if (specversion !== '1.0') return { field: 'specversion', reason: 'must be "1.0"' }
  if (type !== MESSAGE_TYPE) return { field: 'type', reason: `must be "${MESSAGE_TYPE}"` }
  if (typeof source !== 'string' || source === '' || /\s/.test(source)) {
    return { field: 'source', reason: 'must be a URI reference, which has no white space' }
  }
  if (typeof id !== 'string' || id === '') return { field: 'id', reason: 'must be a string that is not empty' }
  const messageId = `${source} ${id}`
  if ([...messageId].length > 200) {
    return { field: 'id', reason: 'must have, together with source, at most 199 characters' }
  }
  const content = dataOf(event as Event, data)
  if (content === undefined) {
    return { id: messageId, field: 'data', reason: 'must be a JSON object {text, report_id?}' }
  }
  for (const field of Object.keys(content)) {
    if (field !== 'text' && field !== 'report_id')
      return { id: messageId, field: `data.${field.slice(0, 50)}`, reason: 'is not a field of the data' }
  }
  const { text, report_id: reportId } = content
  return {
    id: messageId,
    text,
    timestamp: time,
    ...(reportId === undefined ? {} : { report_id: reportId }),
    ...(subject === undefined ? {} : { user_id: subject }),
  }
}

const dataOf = (event: Event, data: unknown): Readonly<Record<string, unknown>> | undefined => {
  const content = data === undefined ? decodedData(event['data_base64']) : data
  const isObject = typeof content === 'object' && content !== null && !Array.isArray(content)
  return isObject ? (content as Readonly<Record<string, unknown>>) : undefined
}

const decodedData = (base64: unknown): unknown => {
  if (typeof base64 !== 'string') return undefined
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(Buffer.from(base64, 'base64')))
  } catch {
    return undefined
  }
}

const EVENT_FIELDS: Readonly<Record<string, string>> = {
  timestamp: 'time',
  user_id: 'subject',
  text: 'data.text',
  report_id: 'data.report_id',
}

/** A rejection in the words of the event. */
export const toEventRejection = <T extends { readonly field: string }>(rejection: T): T => ({
  ...rejection,
  field: EVENT_FIELDS[rejection.field] ?? rejection.field,
})
