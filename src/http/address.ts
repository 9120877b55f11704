/** Rules for every query and path, checked after the caller is authenticated and before the body is read. */
import type { FastifyRequest } from 'fastify'
import { InvalidRequest } from '#model/errors.ts'
import { isPlainText, PLAIN_TEXT } from '#model/plain-text.ts'
import { pathParameter, queryParameter } from './fields.ts'

/** Throws InvalidRequest. Converts integer query parameters to numbers. */
export const checkAddress = (request: FastifyRequest): void => {
  const { raw, params, routeOptions } = request
  checkEncoding(raw.url ?? '')
  for (const [name, value] of Object.entries((params ?? {}) as Record<string, unknown>)) {
    if (typeof value === 'string' && !isPlainText(value)) throw new InvalidRequest(pathParameter(name), PLAIN_TEXT)
  }
  const query = (request.query ?? {}) as Record<string, unknown>
  const known = propertiesOf(routeOptions.schema?.querystring)
  for (const [name, value] of Object.entries(query)) {
    const field = fieldOf(name)
    if (typeof value !== 'string') throw new InvalidRequest(field, 'given only once')
    if (!isPlainText(value) || !isPlainText(name)) throw new InvalidRequest(field, PLAIN_TEXT)
    const integer = known?.[name]
    if (integer?.type === 'integer') query[name] = integerIn(value, field, integer)
  }
}

type Property = { readonly type?: unknown; readonly minimum?: number; readonly maximum?: number }

const propertiesOf = (schema: unknown): Readonly<Record<string, Property>> | undefined =>
  (schema as { readonly properties?: Readonly<Record<string, Property>> } | undefined)?.properties

/** Accepts plain digits only: the meaning of other notations, such as `0x10` or `1e3`, would be a guess. */
const integerIn = (
  text: string,
  field: string,
  { minimum = 0, maximum = Number.MAX_SAFE_INTEGER }: Property,
): number => {
  const number = /^(0|[1-9]\d*)$/.test(text) ? Number(text) : Number.NaN
  if (!(number >= minimum && number <= maximum)) {
    throw new InvalidRequest(field, `an integer from ${minimum} to ${maximum}, in plain digits`)
  }
  return number
}

/** Fastify passes malformed percent-encoding through as it is, so the value would not be what the client meant. */
const checkEncoding = (url: string): void => {
  const start = url.indexOf('?')
  if (start < 0 || !url.includes('%', start)) return
  for (const part of url.slice(start + 1).split('&')) {
    try {
      decodeURIComponent(part)
    } catch {
      const name = part.split('=', 1)[0] ?? ''
      throw new InvalidRequest(fieldOf(name), 'valid percent-encoded UTF-8, with % itself written as %25')
    }
  }
}

const fieldOf = (name: string): string => queryParameter(name.slice(0, NAME_SHOWN_MAX))

const NAME_SHOWN_MAX = 50
