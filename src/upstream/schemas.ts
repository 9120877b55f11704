/** The responses of the Copilot service, and the only place where they are validated. Other fields are ignored. */
import Type, { type Static, type TSchema } from 'typebox'
import { Compile } from 'typebox/compile'
import { Format } from 'typebox/format'
import { BadField } from '#intake/bad-field.ts'
import { isMessageField, readBrought } from '#intake/message-fields.ts'
import { creditsFromDecimal } from '#model/credits.ts'
import { isAboutSomething, type Message, SOMETHING } from '#model/message.ts'
import { isPlainText, PLAIN_TEXT } from '#model/plain-text.ts'
import type { Id, Report } from '#model/report.ts'
import { isTimestamp } from '#model/timestamp.ts'

Format.Set('timestamp', isTimestamp)

const ID = 'an integer between -(2^53 - 1) and 2^53 - 1 or a string of 1 to 200 characters'

const COST = 'a number of at least 0 and less than 8589934592, with at most six decimals'

const IdSchema = Type.Union([
  Type.Integer({ minimum: Number.MIN_SAFE_INTEGER, maximum: Number.MAX_SAFE_INTEGER }),
  Type.String({ minLength: 1, maxLength: 200 }),
])

/** Each `description` is the text that an error shows after "must be". */
const MessageSchema = Type.Object({
  id: Type.Union([...IdSchema.anyOf], { description: ID }),
  text: Type.Optional(Type.Union([Type.String(), Type.Null()], { description: 'a string, or absent' })),
  timestamp: Type.String({
    format: 'timestamp',
    description: 'an RFC 3339 date-time with an offset, such as 2024-04-29T02:08:29.375Z',
  }),
  report_id: Type.Optional(Type.Union([...IdSchema.anyOf, Type.Null()], { description: `${ID}, null or absent` })),
  user_id: Type.Optional(Type.Unknown()),
  team_id: Type.Optional(Type.Unknown()),
})

const ReportSchema = Type.Object({
  id: Type.Union([...IdSchema.anyOf], { description: ID }),
  name: Type.String({ minLength: 1, maxLength: 1000, description: 'a string of 1 to 1000 characters' }),
  credit_cost: Type.Number({ minimum: 0, description: COST }),
})

const messageCheck = Compile(MessageSchema)
const reportCheck = Compile(ReportSchema)

/** Names the field and what it must be. Never quotes a value, which could be a message's text. */
export class MalformedAnswer extends Error {
  constructor(reason: string) {
    super(reason)
    this.name = 'MalformedAnswer'
  }
}

/** Throws MalformedAnswer. `index` is the message's position in the listing. */
export const parseMessage = (input: unknown, index: number): Message => {
  if (!messageCheck.Check(input)) throw new MalformedAnswer(whatIsWrong(MessageSchema, input, `messages[${index}]`))
  return toMessage(input, index)
}

type Entry = Static<typeof MessageSchema>

const toMessage = (entry: Entry, index: number): Message => {
  const { id, text, timestamp, report_id: reportId, user_id: userId } = entry
  if (!isPlain(id)) throw new MalformedAnswer(`messages[${index}].id must be ${PLAIN_TEXT}`)
  const hasText = text !== undefined && text !== null
  const message = hasText ? { id, text, timestamp } : { id, timestamp }
  if (reportId === undefined || reportId === null) return withBrought(withMember(message, userId), entry, index)
  if (!isPlain(reportId)) throw new MalformedAnswer(`messages[${index}].report_id must be ${PLAIN_TEXT}`)
  if (!canBeInPath(reportId)) {
    throw new MalformedAnswer(`messages[${index}].report_id must not be "." or "..": it becomes part of a URL path`)
  }
  return withBrought(withMember({ ...message, reportId }, userId), entry, index)
}

/** `user_id` is not part of the Copilot API's contract, so an unusable value is ignored instead of failing the listing. */
const withMember = (message: Message, userId: unknown): Message =>
  isUsableName(userId) ? { ...message, member: userId } : message

const isUsableName = (value: unknown): value is string =>
  typeof value === 'string' && value !== '' && value.length <= 200 && isPlainText(value)

/** What decides a price fails the listing if it is wrong. `team_id` does not: an unusable one is ignored, like `user_id`. */
const withBrought = (message: Message, entry: Entry, index: number): Message => {
  if (message.text !== undefined && !hasMessageField(entry)) return message
  try {
    const teamId = isUsableName(entry.team_id) ? entry.team_id : undefined
    const whole = { ...message, ...readBrought({ ...entry, team_id: teamId }) }
    if (isAboutSomething(whole)) return whole
  } catch (error) {
    if (!(error instanceof BadField)) throw error
    throw new MalformedAnswer(`messages[${index}].${error.message}`)
  }
  throw new MalformedAnswer(`messages[${index}].text is missing; a message must have ${SOMETHING}`)
}

const hasMessageField = (entry: Entry): boolean => {
  for (const field in entry) if (isMessageField(field)) return true
  return false
}

/** Throws MalformedAnswer. `requested` is the id that the report must have. */
export const parseReport = (input: unknown, requested: Id): Report => {
  if (!reportCheck.Check(input)) throw new MalformedAnswer(whatIsWrong(ReportSchema, input, 'report'))
  const { id, name, credit_cost: cost } = input
  if (String(id) !== String(requested))
    throw new MalformedAnswer(`report.id must be ${JSON.stringify(requested)}, the requested id`)
  if (!isPlain(id)) throw new MalformedAnswer(`report.id must be ${PLAIN_TEXT}`)
  if (!isPlainText(name)) throw new MalformedAnswer(`report.name must be ${PLAIN_TEXT}`)
  const creditCost = creditsFromDecimal(cost)
  if (creditCost === undefined) {
    throw new MalformedAnswer(`report.credit_cost must be ${COST}`)
  }
  return { id, name, creditCost }
}

/** Ids are percent-encoded in paths, but "." and ".." would still be resolved as path segments. */
const canBeInPath = (id: Id): boolean => id !== '.' && id !== '..'

const isPlain = (id: Id): boolean => typeof id === 'number' || isPlainText(id)

const whatIsWrong = (schema: ObjectSchema, input: unknown, where: string): string => {
  if (typeof input !== 'object' || input === null || Array.isArray(input)) return `${where} must be an object`
  const values = new Map(Object.entries(input))
  for (const [field, { description }] of Object.entries(schema.properties)) {
    const isRequired = schema.required.includes(field)
    if (!values.has(field) && isRequired) return `${where}.${field} is missing; it must be ${description}`
    const check = Compile(schema.properties[field] as TSchema)
    if (values.has(field) && !check.Check(values.get(field))) return `${where}.${field} must be ${description}`
  }
  return `${where} does not match its schema`
}

type ObjectSchema = {
  readonly properties: Readonly<Record<string, TSchema & { readonly description?: string }>>
  readonly required: readonly string[]
}
