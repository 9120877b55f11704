/** What a reconciliation is asked for, in the words of the API: a body of JSON, or a query beside a body of CSV. */
import { isJsonObject, type JsonObject } from '#formats/json-values.ts'
import { InvalidRequest } from '#model/errors.ts'
import type { Organization } from '#model/organization.ts'
import type { Columns } from './layout.ts'
import type { NameMap } from './names.ts'
import type { ReconciliationRequest } from './reconciliations.ts'
import type { NamedCells, TheirFile } from './their-bill.ts'
import { type Field, VENDORS, type VendorName, vendorOf } from './vendors.ts'

export type Settings = Omit<ReconciliationRequest, 'organization' | 'file'>

/** In a query, `columns`, `members` and `models` cannot be said. */
export const SETTINGS = [
  'vendor',
  'period',
  'from',
  'to',
  'time_zone',
  'credits_per_usd',
  'tolerance',
  'columns',
  'members',
  'models',
] as const

/** Names that are mapped: of columns, members and models. */
const NAMES_MAX = 100_000

/** Throws InvalidRequest. */
export const settingsIn = (fields: JsonObject): Settings => {
  const vendor = vendorIn(fields['vendor'])
  return {
    vendor,
    columns: columnsIn(vendor, fields['columns']),
    names: { members: namesIn('members', fields['members']), models: namesIn('models', fields['models']) },
    period: textIn('period', fields['period']),
    from: textIn('from', fields['from']),
    to: textIn('to', fields['to']),
    timeZone: textIn('time_zone', fields['time_zone']),
    creditsPerUsd: numberIn('credits_per_usd', fields['credits_per_usd']),
    tolerance: numberIn('tolerance', fields['tolerance']),
  }
}

/** Of a body of JSON, which has the rows of the file or its text. Throws InvalidRequest. */
export const requestIn = (body: unknown, organization: Organization): ReconciliationRequest => {
  if (!isJsonObject(body)) throw new InvalidRequest('body', 'an object {"vendor":"github","csv":…}')
  const known: readonly string[] = [...SETTINGS, 'csv', 'rows', 'limit']
  const unknown = Object.keys(body).find((field) => !known.includes(field))
  if (unknown !== undefined)
    throw new InvalidRequest(`body/${unknown.slice(0, 50)}`, `absent: the only fields are ${known.join(', ')}`)
  return { ...settingsIn(body), organization, file: fileIn(body) }
}

const fileIn = ({ csv, rows }: JsonObject): TheirFile => {
  if ((csv === undefined) === (rows === undefined))
    throw new InvalidRequest('csv', 'given unless "rows" is, and then absent')
  if (rows === undefined) {
    if (typeof csv !== 'string') throw new InvalidRequest('csv', 'a string: the text of a CSV file')
    return { text: slicesOf(csv) }
  }
  if (!Array.isArray(rows)) throw new InvalidRequest('rows', 'an array of objects with the names of columns')
  return { rows: rows.map(cellsIn) }
}

function* slicesOf(text: string): Generator<string> {
  for (let at = 0; at < text.length; at += SLICE) yield text.slice(at, at + SLICE)
}

const SLICE = 64 * 1024

const cellsIn = (row: unknown, index: number): NamedCells => {
  if (!isJsonObject(row)) throw new InvalidRequest(`rows/${index}`, 'an object with the names of columns')
  return Object.fromEntries(
    Object.entries(row).map(([name, cell]) => {
      if (cell === null) return [name, '']
      if (typeof cell === 'object')
        throw new InvalidRequest(`rows/${index}/${name.slice(0, 50)}`, 'a string or a number')
      return [name, String(cell)]
    }),
  )
}

const vendorIn = (value: unknown): VendorName => {
  const vendor = VENDORS.find((name) => name === value)
  if (vendor === undefined) throw new InvalidRequest('vendor', `one of ${VENDORS.join(', ')}`)
  return vendor
}

const columnsIn = (vendor: VendorName, value: unknown): Columns => {
  const known = Object.keys(vendorOf[vendor].columns)
  const names = namesIn('columns', value)
  const unknown = [...names.keys()].find((field) => !known.includes(field))
  if (unknown !== undefined)
    throw new InvalidRequest(`columns/${unknown.slice(0, 50)}`, `absent: the only fields are ${known.join(', ')}`)
  return names as ReadonlyMap<Field, string>
}

const namesIn = (field: string, value: unknown): NameMap => {
  if (value === undefined) return new Map()
  const entries = isJsonObject(value) ? Object.entries(value) : []
  if (!isJsonObject(value) || entries.length > NAMES_MAX || !entries.every(([, name]) => typeof name === 'string'))
    throw new InvalidRequest(field, `an object of at most ${NAMES_MAX} names`)
  return new Map(entries as readonly (readonly [string, string])[])
}

const textIn = (field: string, value: unknown): string | undefined => {
  if (value === undefined || typeof value === 'string') return value
  throw new InvalidRequest(field, 'a string')
}

const numberIn = (field: string, value: unknown): string | undefined => {
  if (value === undefined || typeof value === 'string') return value
  if (typeof value === 'number') return String(value)
  throw new InvalidRequest(field, 'a number')
}
