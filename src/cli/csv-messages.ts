/** CSV → messages. The header row decides once which column holds which field. */
import { type CsvProblem, CsvReader, type CsvRecord } from '#formats/csv.ts'
import { idOfCell, NotAnId, nameOfCell, reportIdOfCell } from './csv-cells.ts'
import {
  BASE_FIELDS,
  type BaseField,
  type FactColumn,
  type Field,
  factColumn,
  factsOfRow,
  fieldNamed,
  isSubject,
} from './csv-columns.ts'
import { WrongPlace } from './failure.ts'
import type { FileEntries, FileEntry } from './file-entry.ts'

export type CsvNeeds = {
  /** Ids stay strings, even if they are integers. */
  readonly stringIds: boolean
  /** Names of columns that differ from the names of their fields. */
  readonly columns: ReadonlyMap<Field, string>
  /** Columns to ignore, even if they are known; `*` means all unknown ones. */
  readonly ignored: ReadonlySet<string>
}

/** `head` is the beginning of the text, or all of it if `isWhole`. Throws WrongPlace if the header row is unusable. */
export async function* csvEntries(
  chunks: AsyncIterable<Buffer>,
  head: { readonly text: string; readonly isWhole: boolean },
  needs: CsvNeeds,
): AsyncGenerator<FileEntries> {
  const layout = readLayout(head.text, head.isWhole, needs)
  const toEntry = createToEntry(layout, needs.stringIds)
  const reader = new CsvReader(layout.delimiter)
  let toSkip = layout.recordsBefore
  const entriesOf = (records: readonly CsvRecord[]): FileEntries => {
    const messages = records.slice(toSkip)
    toSkip -= records.length - messages.length
    return messages.map(toEntry).filter((entry) => entry !== undefined)
  }
  for await (const chunk of chunks) yield entriesOf(reader.push(chunk.toString()))
  yield entriesOf(reader.end())
}

type Layout = {
  readonly delimiter: string
  /** The header row, and the line `sep=;` if there is one. */
  readonly recordsBefore: number
  readonly width: number
  /** Of the columns that every message may have; -1 if there is none. */
  readonly indexOf: Readonly<Record<BaseField, number>>
  readonly facts: readonly FactColumn[]
}

const DELIMITERS = [',', ';', '\t', '|']
const REQUIRED = ['id', 'text', 'timestamp']

const readLayout = (head: string, isWhole: boolean, needs: CsvNeeds): Layout => {
  const [, sep] = /^\s*"?sep=(\\t|[^\r\n"])"?[,;\t]*(?:\r\n?|\n)/i.exec(head) ?? []
  const delimiters = sep === undefined ? DELIMITERS : [sep === '\\t' ? '\t' : sep]
  const found = delimiters.flatMap((delimiter) => {
    const records = firstRecords(head, isWhole, delimiter)
    const record = records[sep === undefined ? 0 : 1]
    return record === undefined ? [] : [{ delimiter, record, known: knownIn(record, needs) }]
  })
  const [best] = found.toSorted((a, b) => b.known - a.known || widthOf(b.record) - widthOf(a.record))
  if (best === undefined) throw new WrongPlace({ line: 1, column: 1, reason: `has no header row. ${WANTED}` })
  const { delimiter, record } = best
  if (!('fields' in record))
    throw new WrongPlace({ ...record.problem, reason: `${record.problem.reason} (in the header row)` })
  const named = readNames(record, delimiter, needs)
  const isBase = (field: Field): boolean => BASE_FIELDS.some((each) => each === field)
  const at = (field: BaseField): number => named.get(field) ?? -1
  return {
    delimiter,
    recordsBefore: sep === undefined ? 1 : 2,
    width: record.fields.findLastIndex((name) => name !== '') + 1,
    indexOf: {
      id: at('id'),
      text: at('text'),
      timestamp: at('timestamp'),
      report_id: at('report_id'),
      user_id: at('user_id'),
    },
    facts: [...named].filter(([field]) => !isBase(field)).map(([field, index]) => factColumn(field, index)),
  }
}

const firstRecords = (head: string, isWhole: boolean, delimiter: string): readonly CsvRecord[] => {
  const reader = new CsvReader(delimiter)
  const records = reader.push(head.slice(0, HEAD_CHARACTERS))
  return isWhole ? [...records, ...reader.end()] : records
}

/** The longest header row that is read. */
const HEAD_CHARACTERS = 64 * 1024

const widthOf = (record: CsvRecord): number => ('fields' in record ? record.fields.length : 0)

const knownIn = (record: CsvRecord, needs: CsvNeeds): number =>
  'fields' in record ? record.fields.filter((name) => fieldOf(name.trim(), needs) !== undefined).length : 0

const fieldOf = (name: string, { columns, ignored }: CsvNeeds): Field | undefined => {
  for (const [field, mapped] of columns) if (mapped === name) return field
  if (name !== name.trim() || ignored.has(name)) return undefined
  const field = fieldNamed(name)
  return field === undefined || columns.has(field) ? undefined : field
}

const readNames = (
  { line, fields }: Extract<CsvRecord, { fields: unknown }>,
  delimiter: string,
  needs: CsvNeeds,
): ReadonlyMap<Field, number> => {
  const { columns, ignored } = needs
  const indexOf = new Map<Field, number>()
  const last = fields.findLastIndex((name) => name !== '')
  const names = fields.slice(0, last + 1)
  const problems: string[] = []
  const unknown: string[] = []
  if (names.some((name) => fieldOf(name, needs) === undefined && fieldOf(name.trim(), needs) !== undefined)) {
    problems.push('column names have spaces around them, so fields may too, and spaces in a text are charged')
  }
  for (const [index, name] of names.entries()) {
    const field = fieldOf(name, needs)
    if (field === undefined && !ignored.has(name) && !ignored.has('*')) unknown.push(shownName(name, index))
    if (field === undefined) continue
    const before = indexOf.get(field)
    if (before !== undefined) problems.push(`columns ${before + 1} and ${index + 1} both map to ${field}`)
    indexOf.set(field, index)
  }
  for (const [field, name] of columns) {
    if (!names.includes(name)) problems.push(`no column ${JSON.stringify(name)} (from --column ${field}=…)`)
  }
  const missing = REQUIRED.filter((field) =>
    field === 'text' ? ![...indexOf.keys()].some(isSubject) : !indexOf.has(field),
  )
  const isOfNames =
    missing.length < REQUIRED.length || (names.length > 1 && names.every((name) => IDENTIFIER.test(name.trim())))
  if (!isOfNames) {
    const count = names.length === 1 ? '1 field' : `${names.length} fields`
    const reason = `the first row must be a header; it has ${count}, none of them id, text or timestamp. ${WANTED}`
    throw new WrongPlace({ line, column: 1, reason })
  }
  if (missing.length > 0) problems.push(`missing ${missing.join(', ')}`)
  if (unknown.length > 0) problems.push(`unknown ${unknown.length > 1 ? 'columns' : 'column'} ${unknown.join(', ')}`)
  if (problems.length === 0) return indexOf
  const shown = names.map(shownName).join(', ')
  const reason = `the header row is ${shown}, separated by ${DELIMITER_NAMES[delimiter] ?? 'another delimiter'}: ${problems.join('; ')}. ${WANTED}`
  throw new WrongPlace({ line, column: 1, reason })
}

const DELIMITER_NAMES: Readonly<Record<string, string>> = {
  ',': 'commas',
  ';': 'semicolons',
  '\t': 'tabs',
  '|': 'vertical bars',
}

const WANTED =
  'Required: id, timestamp and text, or in place of a text report_id, model, usage.NAME or quantities.NAME. Optional: user_id, ' +
  'team_id, outcome, usage_format, attributes.NAME. Map a column with --column text=prompt; ignore one with --ignore-column NAME'

/** Shows only what looks like a name: a first row that is not a header can hold a message. */
const IDENTIFIER = /^[A-Za-z_]\w{0,39}$/
const shownName = (name: string, index: number): string =>
  NAME.test(name)
    ? JSON.stringify(name)
    : name === ''
      ? `column ${index + 1} (no name; ignore it with --ignore-column "")`
      : `column ${index + 1}`
const NAME = /^\s?[\p{L}_][\p{L}\p{N}_.:/()-]{0,39}(?: [\p{L}\p{N}_.:/()-]{1,20}){0,2}\s?$/u

const createToEntry = ({ width, indexOf, facts }: Layout, stringIds: boolean) => {
  const { id: idAt, text: textAt, timestamp: timestampAt, report_id: reportAt, user_id: userAt } = indexOf
  return (record: CsvRecord): FileEntry | undefined => {
    const { line } = record
    if (!('fields' in record)) return malformed(record.problem, line, record.lastLine)
    const { fields } = record
    if (fields.length !== width) {
      if (isBlank(fields)) return undefined
      const problem = widthProblem(fields, width)
      if (problem !== undefined) return { line, problem }
    }
    const id = idOfCell(fields[idAt] ?? '', stringIds)
    const report = fields[reportAt] ?? ''
    const user = fields[userAt] ?? ''
    const reportId = report === '' ? undefined : reportIdOfCell(report, stringIds)
    const userId = user === '' ? undefined : nameOfCell(user)
    if (id === '' && fields.every((field) => field === '')) return undefined
    if (id instanceof NotAnId) return { line, field: 'id', problem: `must be ${id.expected}` }
    if (reportId instanceof NotAnId) return { line, id, field: 'report_id', problem: `must be ${reportId.expected}` }
    if (userId instanceof NotAnId) return { line, id, field: 'user_id', problem: `must be ${userId.expected}` }
    const brought = facts.length === 0 ? NOTHING : factsOfRow(facts, fields)
    if ('wrong' in brought) return { line, id, field: brought.field, problem: `must be ${brought.wrong.expected}` }
    const text = fields[textAt] ?? ''
    // An empty text is a text that is charged, unless the row is about something else.
    const hasText = text !== '' || (textAt >= 0 && !brought.hasCounted)
    const timestamp = fields[timestampAt] ?? ''
    return {
      line,
      entry: {
        id,
        ...(hasText && { text }),
        timestamp,
        ...(reportId !== undefined && { report_id: reportId }),
        ...(userId !== undefined && { user_id: userId }),
        ...brought.fields,
      },
    }
  }
}

const NOTHING = { fields: {}, hasCounted: false }

const malformed = ({ line, column, reason }: CsvProblem, firstLine: number, lastLine: number): FileEntry => {
  const lost = lastLine > firstLine ? `; lines ${firstLine} to ${lastLine} were not imported` : ''
  if (line === firstLine) return { line, column, problem: `${reason}${lost}` }
  return { line: firstLine, problem: `${reason} (line ${line}, column ${column})${lost}` }
}

/** A line of white space, the end-of-file mark of DOS (U+001A), or a row of empty cells. */
const isBlank = (fields: readonly string[]): boolean =>
  (fields.length === 1 && (fields[0] ?? '').replace('\u001a', '').trim() === '') ||
  fields.every((field) => field === '')

/** Tolerates empty fields after the last column, which spreadsheets leave behind. */
const widthProblem = (fields: readonly string[], width: number): string | undefined => {
  const found = fields.length
  if (found < width) {
    return `has ${found} ${found === 1 ? 'field' : 'fields'}, expected ${width}; the line may be truncated, or a text with a line break may lack quotes`
  }
  if (fields.slice(width).every((field) => field === '')) return undefined
  return `has ${found} fields, expected ${width}; a text that contains the delimiter must be in quotes`
}
