/** Finds out, from its first row, which column of a vendor's file holds what. */
import { CsvReader, type CsvRecord } from '#formats/csv.ts'
import { FIELDS, type Field, type Vendor } from './vendors.ts'
import { WrongFile } from './wrong-file.ts'

/** Names of columns that differ from those of the vendor. */
export type Columns = ReadonlyMap<Field, string>

export type Layout = { readonly width: number; readonly at: Readonly<Partial<Record<Field, number>>> }

/** Throws WrongFile. */
export const layoutOf = (titles: readonly string[], vendor: Vendor, columns: Columns): Layout => {
  const names = titles.map((name) => name.trim())
  const at = Object.fromEntries(
    FIELDS.flatMap((field) => {
      const index = indexOf(names, field, vendor, columns)
      return index === undefined ? [] : [[field, index]]
    }),
  ) as Layout['at']
  const missing = vendor.needed.find((fields) => fields.every((field) => at[field] === undefined))
  if (missing === undefined) return { width: names.length, at }
  const wanted = missing.flatMap((field) => vendor.columns[field] ?? []).map((name) => JSON.stringify(name))
  throw new WrongFile(
    'the first row',
    `one with a column ${wanted.join(' or ')}; its columns are ${names.map((name) => JSON.stringify(name.slice(0, 60))).join(', ')}`.slice(
      0,
      1000,
    ),
  )
}

/** Throws WrongFile if a column that is named is not there, or is there twice. */
const indexOf = (names: readonly string[], field: Field, vendor: Vendor, columns: Columns): number | undefined => {
  const mapped = columns.get(field)
  const wanted = mapped === undefined ? (vendor.columns[field] ?? []) : [mapped]
  for (const want of wanted) {
    const matches = (name: string): boolean => (mapped === undefined ? snakeCase(name) === want : name === want)
    const index = names.findIndex(matches)
    if (index < 0) continue
    if (names.findLastIndex(matches) !== index)
      throw new WrongFile('the first row', `one with a single column ${JSON.stringify(want)}`)
    return index
  }
  if (mapped === undefined) return undefined
  throw new WrongFile('the first row', `one with the column ${JSON.stringify(mapped)} for ${field}`)
}

/** `Requests Used`, `requestsUsed` and `requests_used` are one name. */
const snakeCase = (name: string): string =>
  name
    .replace(/([a-z\d])([A-Z])/g, '$1_$2')
    .toLowerCase()
    .replace(/[ .-]+/g, '_')

const DELIMITERS = [',', ';', '\t', '|']

/** The delimiter by which the first row has the most columns. */
export const delimiterOf = (head: string): string => {
  const widths = DELIMITERS.map((delimiter) => {
    const first: CsvRecord | undefined = new CsvReader(delimiter).push(`${head}\n`)[0]
    return { delimiter, width: first !== undefined && 'fields' in first ? first.fields.length : 0 }
  })
  return widths.reduce((best, each) => (each.width > best.width ? each : best)).delimiter
}
