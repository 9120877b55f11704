/** Turns validation errors into phrases that complete "must be". */
import type { FastifySchemaValidationError } from 'fastify'
import { DIMENSIONS } from '#model/cell.ts'
import { GROUP_BY_PATTERN, SLUG_PATTERN } from './schemas/common.ts'

export const DATE_TIME = 'an RFC 3339 date-time with an offset, such as 2024-04-29T02:08:29.375Z'

export type Expectation = {
  /** A JSON pointer to the invalid value. */
  readonly at: string
  readonly expected: string
}

/** The expectation for a field that the schema does not have. */
export const UNKNOWN = 'absent'

/** One expectation per place. Ajv reports each allowed value of a choice as an error of its own; they are merged here. */
export const expectationsOf = (errors: readonly FastifySchemaValidationError[]): readonly Expectation[] => {
  const places = Map.groupBy(errors, placeOf)
  return [...places].map(([at, found]) => {
    const choices = found.flatMap(choicesOf)
    const [error = found[0]] = found.filter(({ keyword }) => keyword !== 'anyOf')
    const expected = choices.length > 0 ? `one of ${choices.map((each) => JSON.stringify(each)).join(', ')}` : undefined
    return { at, expected: expected ?? (error === undefined ? 'a different value' : expectedBy(error)) }
  })
}

const placeOf = ({ instancePath, params }: FastifySchemaValidationError): string => {
  const name = params['missingProperty'] ?? params['additionalProperty']
  return typeof name === 'string' ? `${instancePath}/${name.slice(0, NAME_MAX)}` : instancePath
}

/** The client chooses the name, so its length is not bounded otherwise. */
const NAME_MAX = 100

const choicesOf = ({ keyword, params }: FastifySchemaValidationError): readonly unknown[] => {
  if (keyword === 'const') return [params['allowedValue']]
  return keyword === 'enum' && Array.isArray(params['allowedValues']) ? params['allowedValues'] : []
}

const expectedBy = ({ keyword, params, message }: FastifySchemaValidationError): string =>
  EXPECTED[keyword]?.(params) ?? (message ?? 'a different value').replace(/^must be /, '')

type Params = FastifySchemaValidationError['params']

const EXPECTED: Readonly<Record<string, (params: Params) => string>> = {
  type: ({ type }) =>
    [type]
      .flat()
      .map((each) => TYPES[String(each)] ?? String(each))
      .join(' or '),
  required: () => 'present',
  additionalProperties: () => UNKNOWN,
  minLength: ({ limit }) => (limit === 1 ? 'a non-empty string' : `at least ${limit} characters long`),
  maxLength: ({ limit }) => `at most ${limit} characters long`,
  minItems: ({ limit }) => (limit === 1 ? 'a non-empty array' : `an array of at least ${limit} items`),
  maxItems: ({ limit }) => `an array of at most ${limit} items`,
  minProperties: ({ limit }) => (limit === 1 ? 'a non-empty object' : `an object with at least ${limit} fields`),
  uniqueItems: () => 'an array without duplicates',
  minimum: ({ limit }) => `at least ${limit}`,
  maximum: ({ limit }) => `at most ${limit}`,
  exclusiveMinimum: ({ limit }) => `more than ${limit}`,
  exclusiveMaximum: ({ limit }) => `less than ${limit}`,
  pattern: ({ pattern }) => PATTERNS[String(pattern)] ?? `a string that matches ${pattern}`,
  format: ({ format }) => FORMATS[String(format)] ?? `a string in the format ${format}`,
}

/** Patterns in words: nobody should have to read a regular expression to correct a request. */
const PATTERNS: Readonly<Record<string, string>> = {
  [SLUG_PATTERN]: 'a string of lowercase letters, digits and hyphens that does not start or end with a hyphen',
  [GROUP_BY_PATTERN]: `one or more of ${DIMENSIONS.join(', ')}, separated by commas`,
}

const FORMATS: Readonly<Record<string, string>> = { 'date-time': DATE_TIME }

const TYPES: Readonly<Record<string, string>> = {
  string: 'a string',
  integer: 'an integer',
  number: 'a number',
  boolean: 'true or false',
  array: 'an array',
  object: 'an object',
  null: 'null',
}
