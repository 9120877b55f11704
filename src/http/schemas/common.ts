/** What many routes share. */
import Type from 'typebox'

const slug = { minLength: 1, maxLength: 63, pattern: '^[a-z0-9](?:[a-z0-9-]*[a-z0-9])?$' }

export const isSlug = (text: string): boolean => text.length <= slug.maxLength && new RegExp(slug.pattern).test(text)

export const OrganizationIdSchema = Type.String({
  ...slug,
  description: 'Lower-case letters, digits and hyphens.',
  examples: ['acme'],
})

export const organizationQuery = {
  organization: Type.Optional(
    Type.String({
      ...slug,
      description: 'The organization, where it is not the one of the key; only for who may act on others.',
      examples: ['default'],
    }),
  ),
}

export const rangeQuery = {
  period: Type.Optional(
    Type.String({
      description:
        '`current` (the default), `previous`, a month or a day: the (first) billing period that starts in it, or on it.',
      examples: ['2024-05'],
    }),
  ),
  from: Type.Optional(
    Type.String({
      description: 'With `to`, in place of `period`: an RFC 3339 date-time, or a date, which stands for its midnight.',
      examples: ['2024-05-01T00:00:00Z'],
    }),
  ),
  to: Type.Optional(Type.String({ description: 'The end, which is not part of the range.', examples: ['2024-06-01'] })),
}

export const limitQuery = (byDefault: number, most: number) => ({
  limit: Type.Optional(
    Type.Integer({
      minimum: 1,
      maximum: most,
      default: byDefault,
      description: 'Entries of a page.',
      examples: [byDefault],
    }),
  ),
})

export const TimestampSchema = (description: string) =>
  Type.String({ format: 'date-time', description, examples: ['2024-05-01T00:00:00.000Z'] })

export const CreditsSchema = Type.Number({
  description: 'Credits: an exact decimal with at most six decimals.',
  examples: [11.25],
})
