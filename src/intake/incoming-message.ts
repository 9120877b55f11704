/** Validates reported messages, whatever envelope they came in. */
import { isAboutSomething, type Message, SOMETHING } from '#model/message.ts'
import type { EpochMs } from '#model/organization.ts'
import { isPlainText, PLAIN_TEXT } from '#model/plain-text.ts'
import type { Id } from '#model/report.ts'
import { instantOf, isTimestamp } from '#model/timestamp.ts'
import { BadField } from './bad-field.ts'
import { isMessageField, readBrought } from './message-fields.ts'

export type IntakeLimits = {
  /** Maximum length of a text, in bytes of UTF-8. */
  readonly textBytesMax: number
  /** How far a timestamp may be ahead of the service's clock. */
  readonly aheadMaxMs: number
}

/** What is wrong with a message, without quoting its text. */
export type Rejection = {
  /** Present if the message has a valid one. */
  readonly id?: Id
  /** A path, such as `quantities.pages`; empty if the message as a whole is wrong. */
  readonly field: string
  readonly reason: string
}

export type IncomingMessage = Message & { readonly at: EpochMs }

export const isRejection = (parsed: IncomingMessage | Rejection): parsed is Rejection => 'reason' in parsed

export const ID = 'an integer between -(2^53 - 1) and 2^53 - 1 or a string of 1 to 200 characters'
const NAME = 'a string of 1 to 200 characters'
export const ID_CHARACTERS_MAX = 200

const FIELDS = new Set(['id', 'text', 'timestamp', 'report_id', 'user_id'])

/** Validates one entry: `{id, text?, timestamp, report_id?, user_id?}` and the fields of `message-fields.ts`. Never throws. */
export const parseIncoming = (input: unknown, limits: IntakeLimits, time: EpochMs): IncomingMessage | Rejection => {
  if (typeof input !== 'object' || input === null || Array.isArray(input)) {
    return { field: '', reason: 'must be an object {id, timestamp, text?, report_id?, …}' }
  }
  const { id, text, timestamp, report_id: reportId, user_id: userId } = input as Fields
  if (!isId(id)) return { field: 'id', reason: expected(id, `${ID}, ${PLAIN_TEXT}`) }
  const hasText = text !== undefined && text !== null
  if (hasText && typeof text !== 'string') return { id, field: 'text', reason: 'must be a string, or absent' }
  if (hasText && isLongerThan(text, limits.textBytesMax)) {
    return { id, field: 'text', reason: `must be at most ${limits.textBytesMax} bytes of UTF-8` }
  }
  if (typeof timestamp !== 'string' || timestamp.length > TIMESTAMP_CHARACTERS_MAX || !isTimestamp(timestamp)) {
    const example = 'an RFC 3339 date-time with an offset, such as 2024-04-29T02:08:29.375Z'
    return { id, field: 'timestamp', reason: expected(timestamp, example) }
  }
  const at = instantOf(timestamp)
  if (at > time + limits.aheadMaxMs) {
    const seconds = limits.aheadMaxMs / 1000
    return { id, field: 'timestamp', reason: `must be at most ${seconds} seconds ahead of the service's clock` }
  }
  const hasReport = reportId !== undefined && reportId !== null
  if (hasReport && !(isId(reportId) && reportId !== '.' && reportId !== '..')) {
    return { id, field: 'report_id', reason: `must be ${ID}, ${PLAIN_TEXT}, other than "." and "..", or absent` }
  }
  const hasMember = userId !== undefined && userId !== null
  if (hasMember && !(typeof userId === 'string' && isId(userId))) {
    return { id, field: 'user_id', reason: `must be ${NAME}, ${PLAIN_TEXT}, or absent` }
  }
  let bringsMore = false
  for (const field in input) {
    if (FIELDS.has(field)) continue
    if (!isMessageField(field))
      return { id, field: shortened(field), reason: 'must be absent: a message has no such field' }
    bringsMore = true
  }
  if (bringsMore || !hasText) {
    const message = { id, timestamp, at, ...(hasText && { text }), ...(hasReport && { reportId }) }
    return withBrought({ ...message, ...(hasMember && { member: userId }) }, input as Fields)
  }
  // Four literals, because copying an object to add a field costs more than making it.
  if (hasReport && hasMember) return { id, text, timestamp, at, reportId, member: userId }
  if (hasReport) return { id, text, timestamp, at, reportId }
  return hasMember ? { id, text, timestamp, at, member: userId } : { id, text, timestamp, at }
}

type Fields = Readonly<Record<string, unknown>>

const withBrought = (message: IncomingMessage, input: Fields): IncomingMessage | Rejection => {
  try {
    const whole = { ...message, ...readBrought(input) }
    if (isAboutSomething(whole)) return whole
    return { id: message.id, field: 'text', reason: `is missing; a message must have ${SOMETHING}` }
  } catch (error) {
    if (!(error instanceof BadField)) throw error
    return { id: message.id, field: error.field, reason: error.reason }
  }
}

export const isId = (value: unknown): value is Id =>
  typeof value === 'string' ? value.length > 0 && isShort(value) && isPlainText(value) : Number.isSafeInteger(value)

/** Counts code points, not UTF-16 code units. */
export const isShort = (text: string): boolean =>
  text.length <= ID_CHARACTERS_MAX || (text.length <= 2 * ID_CHARACTERS_MAX && [...text].length <= ID_CHARACTERS_MAX)

const TIMESTAMP_CHARACTERS_MAX = 64

const expected = (value: unknown, what: string): string =>
  value === undefined ? `is missing; it must be ${what}` : `must be ${what}`

/** A UTF-16 code unit takes one to three bytes of UTF-8, so most texts need no counting. */
const isLongerThan = (text: string, bytesMax: number): boolean =>
  text.length * 3 > bytesMax && (text.length > bytesMax || Buffer.byteLength(text) > bytesMax)

const shortened = (field: string): string => (field.length > 50 ? `${field.slice(0, 50)}…` : field)
