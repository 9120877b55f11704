/** What a schema expected, in the words that follow "must be". */
import type { FastifySchemaValidationError } from 'fastify'

export type Expectation = {
  /** A JSON pointer to what was wrong. */
  readonly at: string
  readonly expected: string
}

/** What is expected of a field that is not known. */
export const UNKNOWN = 'absent'

/** One for each place. Of a choice between values ajv reports every one that it is not: they are said as one. */
export const expectationsOf = (errors: readonly FastifySchemaValidationError[]): readonly Expectation[] => {
  const places = Map.groupBy(errors, placeOf)
  return [...places].map(([at, found]) => {
    const choices = found.flatMap(choicesOf)
    const [error = found[0]] = found.filter(({ keyword }) => keyword !== 'anyOf')
    const expected = choices.length > 0 ? `one of ${choices.map((each) => JSON.stringify(each)).join(', ')}` : undefined
    return { at, expected: expected ?? (error === undefined ? 'another value' : expectedBy(error)) }
  })
}

const placeOf = ({ instancePath, params }: FastifySchemaValidationError): string => {
  const name = params['missingProperty'] ?? params['additionalProperty']
  return typeof name === 'string' ? `${instancePath}/${name.slice(0, NAME_MAX)}` : instancePath
}

/** A name that was sent may be anything. */
const NAME_MAX = 100

const choicesOf = ({ keyword, params }: FastifySchemaValidationError): readonly unknown[] => {
  if (keyword === 'const') return [params['allowedValue']]
  return keyword === 'enum' && Array.isArray(params['allowedValues']) ? params['allowedValues'] : []
}

const expectedBy = ({ keyword, params, message }: FastifySchemaValidationError): string =>
  EXPECTED[keyword]?.(params) ?? (message ?? 'another value').replace(/^must be /, '')

type Params = FastifySchemaValidationError['params']

const EXPECTED: Readonly<Record<string, (params: Params) => string>> = {
  type: ({ type }) =>
    [type]
      .flat()
      .map((each) => TYPES[String(each)] ?? String(each))
      .join(' or '),
  required: () => 'present',
  additionalProperties: () => UNKNOWN,
  minLength: ({ limit }) => (limit === 1 ? 'not empty' : `at least ${limit} characters long`),
  maxLength: ({ limit }) => `at most ${limit} characters long`,
  minItems: ({ limit }) => (limit === 1 ? 'not empty' : `an array of at least ${limit}`),
  maxItems: ({ limit }) => `an array of at most ${limit}`,
  minProperties: ({ limit }) => (limit === 1 ? 'not empty' : `an object of at least ${limit} fields`),
  uniqueItems: () => 'without duplicates',
  minimum: ({ limit }) => `at least ${limit}`,
  maximum: ({ limit }) => `at most ${limit}`,
  exclusiveMinimum: ({ limit }) => `more than ${limit}`,
  exclusiveMaximum: ({ limit }) => `less than ${limit}`,
  pattern: ({ pattern }) => `in the form ${pattern}`,
  format: ({ format }) => `in the format ${format}`,
}

const TYPES: Readonly<Record<string, string>> = {
  string: 'a string',
  integer: 'an integer',
  number: 'a number',
  boolean: 'true or false',
  array: 'an array',
  object: 'an object',
  null: 'null',
}
