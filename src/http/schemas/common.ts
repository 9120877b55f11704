/** Schemas that many routes share. */
import Type, { type Static, type TSchema, type TSchemaOptions } from 'typebox'
import { DIMENSIONS } from '#model/cell.ts'
import type { PlainNumber } from '#model/credits.ts'

/** A reference to a schema in `shared-schemas.ts`. Unlike `Type.Ref`, it keeps the type of what it refers to. */
export const ref = <S extends TSchema>(schema: S, options?: TSchemaOptions) => {
  const { $id } = schema as { readonly $id?: string }
  return Type.Unsafe<Static<S>>(Type.Ref(`${$id}#`, options))
}

/** One of the names. Unlike `Type.Union` of a mapped array, it keeps their type. */
export const oneOf = <Name extends string>(names: readonly Name[], options?: TSchemaOptions) => {
  const literals = names.map((name) => Type.Literal(name))
  return Type.Unsafe<Name>(Type.Union(literals, options))
}

export const SLUG_PATTERN = '^[a-z0-9](?:[a-z0-9-]*[a-z0-9])?$'
const DIMENSION = `(?:${DIMENSIONS.join('|')})`

/** Any of them, none twice. */
export const GROUP_BY_PATTERN = `^(?!(?:.*,)?(\\w+),(?:.*,)?\\1(?:,|$))${DIMENSION}(?:,${DIMENSION})*$`

const slug = { minLength: 1, maxLength: 63, pattern: SLUG_PATTERN }

export const isSlug = (text: string): boolean => text.length <= slug.maxLength && new RegExp(slug.pattern).test(text)

export const OrganizationIdSchema = Type.String({
  ...slug,
  description: 'Id of the organization: lowercase letters, digits and hyphens, not starting or ending with a hyphen.',
  examples: ['acme'],
})

export const organizationQuery = {
  organization: Type.Optional(
    Type.String({
      ...slug,
      description:
        "The organization to act on. Defaults to the key's own; only an operator key (scope `admin` on `default`) can name another.",
      examples: ['default'],
    }),
  ),
}

export const rangeQuery = {
  period: Type.Optional(
    Type.String({
      description:
        'A billing period: `current` (the default), `previous`, a month such as `2024-05` (the first period that starts in it), ' +
        'or a day such as `2024-05-15` (the period that starts on it). Cannot be combined with `from` and `to`.',
      examples: ['2024-05'],
    }),
  ),
  from: Type.Optional(
    Type.String({
      description:
        "Start of the range, inclusive: an RFC 3339 date-time, or a date, which means midnight in the organization's time zone. " +
        'Requires `to`.',
      examples: ['2024-05-01T00:00:00Z'],
    }),
  ),
  to: Type.Optional(
    Type.String({
      description: 'End of the range, exclusive, in the same formats as `from`. Requires `from`.',
      examples: ['2024-06-01'],
    }),
  ),
}

export const limitQuery = (byDefault: number, most: number) => ({
  limit: Type.Optional(
    Type.Integer({
      minimum: 1,
      maximum: most,
      default: byDefault,
      description: 'Maximum number of items per page.',
      examples: [byDefault],
    }),
  ),
})

export const TimestampSchema = (description: string, example = '2024-05-01T00:00:00.000Z') =>
  Type.String({ format: 'date-time', description, examples: [example] })

export const creditsSchema = (description: string) =>
  Type.Unsafe<PlainNumber>(Type.Number({ description, examples: [11.25] }))

export const quantitySchema = (description: string) =>
  Type.Unsafe<PlainNumber>(Type.Number({ description, examples: [1200] }))

export const CreditsSchema = creditsSchema('Amount in credits: an exact decimal with at most six decimal places.')
