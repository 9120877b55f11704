/**
 * What a message may bring besides a text and a report, described once: how each field is checked, its JSON Schema, and how a
 * CSV file says it. Every edge reads the fields from here, so that another one is an entry of this table.
 */

import { isDeepStrictEqual } from 'node:util'
import { creditsFromDecimal } from '#model/credits.ts'
import { ATTRIBUTES_MAX, FACT_NAMES, NAME_PATTERN, PROVIDER_COST, QUANTITIES_MAX } from '#model/fact-names.ts'
import { OUTCOMES, type Outcome } from '#model/facts.ts'
import type { BroughtFacts, Message } from '#model/message.ts'
import { isPlainText, PLAIN_TEXT } from '#model/plain-text.ts'
import { BadField } from './bad-field.ts'
import { isUsageMember, OWN_COUNTS, readUsage, USAGE_FORMATS, type UsageFormatName } from './usage-formats.ts'

export type MessageField = {
  readonly name: string
  /** JSON Schema of a value that is not `null`. */
  readonly schema: JsonSchema
  /** How CSV says it: in a column of its own, or in one for each member, such as `quantities.pages`. */
  readonly cells: 'name' | 'numbers' | 'texts and flags'
  /** Whether there may be a column for this member; a name in it may have dots. */
  readonly isMember?: (name: string) => boolean
  /** Where what it says is kept, unless it only says how to read another field. */
  readonly keptAs?: keyof Draft
  /** Adds what the value says. Throws BadField. */
  readonly read: (value: NonNullable<unknown>, into: Draft, message: Fields) => void
}

export type JsonSchema = Readonly<Record<string, unknown>>
type Fields = Readonly<Record<string, unknown>>
type Mutable<T> = { -readonly [K in keyof T]: T[K] }
type Draft = Mutable<BroughtFacts> & { team?: string }

const NAME_CHARACTERS_MAX = 200
const NAME = `a string of 1 to ${NAME_CHARACTERS_MAX} characters, ${PLAIN_TEXT}`
const nameSchema = { type: 'string', minLength: 1, maxLength: NAME_CHARACTERS_MAX }
const attributeSchema = { type: 'string', maxLength: NAME_CHARACTERS_MAX }
const countSchema = { anyOf: [{ type: 'integer', minimum: 0, maximum: Number.MAX_SAFE_INTEGER }, { type: 'null' }] }

export const MESSAGE_FIELDS: readonly MessageField[] = [
  {
    name: 'team_id',
    schema: {
      ...nameSchema,
      description: 'Id of the team that the member belonged to when the message was sent.',
      examples: ['research'],
    },
    cells: 'name',
    keptAs: 'team',
    read: (value, into) => {
      into.team = nameIn('team_id', value)
    },
  },
  {
    name: 'model',
    schema: { ...nameSchema, description: 'The model that answered, as its provider calls it.', examples: ['gpt-5.4'] },
    cells: 'name',
    keptAs: 'model',
    read: (value, into) => {
      into.model = nameIn('model', value)
    },
  },
  {
    name: 'usage_format',
    schema: {
      enum: USAGE_FORMATS,
      description:
        'The shape of `usage` if it is the object that a provider returned. Absent for the names of this service.',
      examples: ['openai'],
    },
    cells: 'name',
    read: (value) => {
      if (!isUsageFormat(value))
        throw new BadField('usage_format', `must be one of ${USAGE_FORMATS.join(', ')}, or absent`)
    },
  },
  {
    name: 'usage',
    schema: {
      type: 'object',
      properties: Object.fromEntries(
        OWN_COUNTS.map((name) => [
          name,
          { ...countSchema, description: `Count of ${name.replaceAll('_', ' ')}.`, examples: [350] },
        ]),
      ),
      additionalProperties: true,
      description:
        'Tokens, in disjoint kinds: `input_tokens` are those that were neither read from a cache nor written to one, ' +
        '`reasoning_tokens` are part of `output_tokens`, `cache_write_1h_tokens` of `cache_write_tokens`. Or, with ' +
        '`usage_format`, the usage object that the provider returned, unchanged: it is made disjoint, a total that it states ' +
        'must be the sum, and members that are not about tokens are ignored.',
      examples: [{ input_tokens: 1200, cache_read_tokens: 30_000, output_tokens: 350 }],
    },
    cells: 'numbers',
    isMember: isUsageMember,
    keptAs: 'tokens',
    read: (value, into, { usage_format: format }) => {
      const { tokens, costNanoUsd } = readUsage(value, isUsageFormat(format) ? format : undefined)
      into.tokens = tokens
      if (costNanoUsd !== undefined) into.quantities = { [PROVIDER_COST]: costNanoUsd }
    },
  },
  {
    name: 'quantities',
    schema: {
      type: 'object',
      maxProperties: QUANTITIES_MAX,
      propertyNames: { pattern: NAME_PATTERN },
      additionalProperties: { anyOf: [{ type: 'number', minimum: 0 }, { type: 'null' }] },
      description:
        `Amounts under names that you choose, at most ${QUANTITIES_MAX}: numbers of at least 0 with at most six decimals. A name ` +
        'of 1 to 63 lowercase letters, digits and underscores starts with a letter.',
      examples: [{ pages: 3, voice_minutes: 1.5 }],
    },
    cells: 'numbers',
    isMember: (name) => NAME_OF_MEMBER.test(name),
    keptAs: 'quantities',
    read: (value, into) => {
      const quantities = membersOf('quantities', value, quantityIn)
      if (into.quantities !== undefined && PROVIDER_COST in quantities) {
        throw new BadField(`quantities.${PROVIDER_COST}`, 'must be absent if usage states the cost')
      }
      const all = { ...quantities, ...into.quantities }
      refuseMore('quantities', all, QUANTITIES_MAX)
      if (Object.keys(all).length > 0) into.quantities = all
    },
  },
  {
    name: 'attributes',
    schema: {
      type: 'object',
      maxProperties: ATTRIBUTES_MAX,
      propertyNames: { pattern: NAME_PATTERN },
      additionalProperties: { anyOf: [attributeSchema, { type: 'boolean' }, { type: 'null' }] },
      description:
        `What else a rate card may ask about, under names that you choose, at most ${ATTRIBUTES_MAX}: strings of up to 200 ` +
        'characters, or booleans. A name cannot be that of a quantity. `feature` is also a dimension of totals.',
      examples: [{ feature: 'chat', licensed: true }],
    },
    cells: 'texts and flags',
    isMember: (name) => NAME_OF_MEMBER.test(name),
    keptAs: 'attributes',
    read: (value, into) => {
      const attributes = membersOf('attributes', value, attributeIn)
      refuseMore('attributes', attributes, ATTRIBUTES_MAX)
      const both = Object.keys(attributes).find((name) => Object.hasOwn(into.quantities ?? {}, name))
      if (both !== undefined)
        throw new BadField(`attributes.${both}`, 'must have another name: a quantity has this one')
      if (Object.keys(attributes).length > 0) into.attributes = attributes
    },
  },
  {
    name: 'outcome',
    schema: {
      enum: OUTCOMES,
      description:
        'The final outcome of the call; `succeeded` if absent. `retried` is an attempt that another message replaces, `utility` a ' +
        'call that the user did not ask for, such as one for a title.',
      examples: ['succeeded'],
    },
    cells: 'name',
    keptAs: 'outcome',
    read: (value, into) => {
      if (!isOutcome(value)) throw new BadField('outcome', `must be one of ${OUTCOMES.join(', ')}, or absent`)
      if (value !== 'succeeded') into.outcome = value
    },
  },
]

export const isMessageField = (name: string): boolean => NAMES.has(name)
const NAMES: ReadonlySet<string> = new Set(MESSAGE_FIELDS.map(({ name }) => name))

/** Reads the fields of this table. `null` means absent. Throws BadField. */
export const readBrought = (message: Fields): Pick<Message, 'team' | 'brought'> => {
  const draft: Draft = {}
  for (const { name, read } of MESSAGE_FIELDS) {
    const value = message[name]
    if (value !== undefined && value !== null) read(value, draft, message)
  }
  const { team, ...brought } = draft
  const isEmpty = Object.keys(brought).length === 0
  return { ...(team !== undefined && { team }), ...(!isEmpty && { brought }) }
}

/** The first field that says something else, if any does. */
export const differingField = (one: Kept, other: Kept): string | undefined =>
  MESSAGE_FIELDS.find(({ keptAs }) => keptAs !== undefined && !isDeepStrictEqual(one[keptAs], other[keptAs]))?.name

type Kept = { readonly [K in keyof Draft]?: unknown }

const isUsageFormat = (value: unknown): value is UsageFormatName => USAGE_FORMATS.some((each) => each === value)

const isOutcome = (value: unknown): value is Outcome => OUTCOMES.some((each) => each === value)

const nameIn = (field: string, value: unknown): string => {
  if (!isName(value)) throw new BadField(field, `must be ${NAME}, or absent`)
  return value
}

/** Counts code points, not UTF-16 code units. */
const isName = (value: unknown): value is string =>
  typeof value === 'string' &&
  value !== '' &&
  value.length <= 2 * NAME_CHARACTERS_MAX &&
  [...value].length <= NAME_CHARACTERS_MAX &&
  isPlainText(value)

const quantityIn = (field: string, value: unknown): number => {
  const isQuantity = typeof value === 'number' && value >= 0
  if (!isQuantity || !(Number.isSafeInteger(value) || creditsFromDecimal(value) !== undefined)) {
    throw new BadField(field, `must be ${QUANTITY}`)
  }
  return value + 0
}

const QUANTITY = `a number of at least 0, whole up to ${Number.MAX_SAFE_INTEGER} or below ${2 ** 33} with at most six decimals`

const attributeIn = (field: string, value: unknown): string | boolean => {
  if (typeof value === 'boolean' || value === '' || isName(value)) return value
  throw new BadField(field, `must be ${ATTRIBUTE}`)
}

const ATTRIBUTE = `a string of up to ${NAME_CHARACTERS_MAX} characters, ${PLAIN_TEXT}, or a boolean`

/** The members of an object that are not `null`, each under a name that may be used. */
const membersOf = <T>(field: string, value: unknown, read: (field: string, value: unknown) => T): Record<string, T> => {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new BadField(field, 'must be an object, or absent')
  }
  const members = Object.entries(value).filter(([, each]) => each !== undefined && each !== null)
  return Object.fromEntries(
    members.map(([name, each]) => {
      const path = `${field}.${name.length > NAME_SHOWN_MAX ? `${name.slice(0, NAME_SHOWN_MAX)}…` : name}`
      if (!NAME_OF_MEMBER.test(name)) throw new BadField(path, `must have ${MEMBER_NAME} as its name`)
      if (RESERVED.has(name)) throw new BadField(path, 'must have another name: the service counts this itself')
      return [name, read(path, each)]
    }),
  )
}

const NAME_SHOWN_MAX = 63
const NAME_OF_MEMBER = new RegExp(NAME_PATTERN)
const MEMBER_NAME = '1 to 63 lowercase letters, digits and underscores, starting with a letter,'
const RESERVED: ReadonlySet<string> = new Set(FACT_NAMES)

const refuseMore = (field: string, members: object, most: number): void => {
  if (Object.keys(members).length > most) throw new BadField(field, `must have at most ${most} members`)
}
