/**
 * The columns of a CSV file of messages: the five that every message may have, and those that the table of a message's fields
 * adds, such as `model`, `usage.input_tokens`, `usage.prompt_tokens_details.cached_tokens` and `quantities.pages`.
 */
import { MESSAGE_FIELDS, type MessageField } from '#intake/message-fields.ts'
import { flagOrNameOfCell, NotAnId, nameOfCell, numberOfCell } from './csv-cells.ts'

/** What a column holds: a field, or the path of a member of one. */
export type Field = string

export const BASE_FIELDS = ['id', 'text', 'timestamp', 'report_id', 'user_id'] as const
export type BaseField = (typeof BASE_FIELDS)[number]

const NAMES: readonly Field[] = [
  ...BASE_FIELDS,
  ...MESSAGE_FIELDS.filter(({ cells }) => cells === 'name').map(({ name }) => name),
]
const OBJECTS = MESSAGE_FIELDS.filter(({ cells }) => cells !== 'name')

/** Completes "one of". */
export const FIELDS_SHOWN = [...NAMES, ...OBJECTS.map(({ name }) => `${name}.NAME`)].join(', ')

export const isField = (name: string): boolean => NAMES.includes(name) || objectOf(name) !== undefined

/**
 * The field that a column holds by its name. Recognizes `ID`, `Report ID`, `report-id` and `reportId`, but the path of a member
 * only as it is. Other names need `--column`: a guess could be a wrong charge.
 */
export const fieldNamed = (name: string): Field | undefined => {
  if (objectOf(name) !== undefined) return name
  const simple = name.toLowerCase().replace(/[ _.-]/g, '')
  return NAMES.find((field) => field.replaceAll('_', '') === simple)
}

const objectOf = (path: string): MessageField | undefined =>
  OBJECTS.find(({ name, isMember }) => path.startsWith(`${name}.`) && isMember?.(path.slice(name.length + 1)) === true)

/** Whether a message may have a price by this field, and so needs no text. */
export const isSubject = (field: Field): boolean => field === 'text' || field === 'report_id' || isCounted(field)

/** Whether this field says what an empty text is not: that the message is priced by something else. */
const isCounted = (field: Field): boolean => field === 'model' || /^(?:usage|quantities)\./.test(field)

/** A column of the table's. */
export type FactColumn = {
  readonly field: Field
  readonly index: number
  readonly path: readonly string[]
  readonly read: (cell: string) => unknown
  readonly isCounted: boolean
}

export const factColumn = (field: Field, index: number): FactColumn => {
  const cells = objectOf(field)?.cells ?? 'name'
  return { field, index, path: field.split('.'), read: READERS[cells], isCounted: isCounted(field) }
}

const READERS = { name: nameOfCell, numbers: numberOfCell, 'texts and flags': flagOrNameOfCell }

export type Facts = { readonly fields: object; readonly hasCounted: boolean }

/** What the cells of a row bring; an empty one brings nothing. `NotAnId` and its field if one is a placeholder. */
export const factsOfRow = (
  columns: readonly FactColumn[],
  cells: readonly string[],
): Facts | { readonly field: Field; readonly wrong: NotAnId } => {
  const fields: Record<string, unknown> = {}
  let hasCounted = false
  for (const { field, index, path, read, isCounted } of columns) {
    const cell = cells[index] ?? ''
    if (cell === '') continue
    const value = read(cell)
    if (value instanceof NotAnId) return { field, wrong: value }
    put(fields, path, value)
    hasCounted ||= isCounted
  }
  return { fields, hasCounted }
}

const put = (into: Record<string, unknown>, [name = '', ...inner]: readonly string[], value: unknown): void => {
  if (inner.length === 0) into[name] = value
  else {
    into[name] ??= {}
    put(into[name] as Record<string, unknown>, inner, value)
  }
}
