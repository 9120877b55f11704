/** JSON and NDJSON → messages. */
import { InvalidJson, type JsonPath, readJson } from '#formats/json.ts'
import { BadJsonList, JsonElements } from '#formats/json-elements.ts'
import { ROUNDED, roundedAmong } from '#formats/json-numbers.ts'
import { type Line, LineSplitter } from '#formats/lines.ts'
import { MESSAGE_FIELDS } from '#intake/message-fields.ts'
import { isReadAs } from '#intake/usage-formats.ts'
import { WrongPlace, wrong } from './failure.ts'
import type { Chunks, FileEntries, FileEntry } from './file-entry.ts'

/** Whether the file looks like one object per line: the first line is one, or the second starts another. */
export const isOfLines = (text: string): boolean => {
  const [first = '', second = ''] = text.split(/\r\n?|\n/).filter((line) => line.trim() !== '')
  const elements = new JsonElements()
  try {
    const found = elements.push(Buffer.from(first))
    // The first line is longer than the part that is examined.
    if (first.length >= text.trim().length - 1 && found.length === 0) return !elements.isListing()
    elements.end()
    return !elements.isListing()
  } catch (error) {
    if (!(error instanceof BadJsonList)) throw error
    return !elements.isListing() && second.trimStart().startsWith('{')
  }
}

export async function* jsonEntries(chunks: Chunks, note: (text: string) => void): AsyncGenerator<FileEntries> {
  const elements = new JsonElements()
  let number = 0
  for await (const chunk of chunks) {
    yield elements.push(chunk).map(({ bytes, line, column }) => {
      number++
      const entry = parseEntry(bytes, { line, number }, column)
      if (number === 1) checkShape(entry, line)
      return entry
    })
  }
  elements.end()
  const around = elements.around()
  if (around === undefined) return
  const others = Object.keys(parseAround(around)).filter((key) => key !== 'messages')
  if (others.length > 0) note(`ignored the top-level ${others.length === 1 ? 'field' : 'fields'} ${listed(others)}`)
}

const parseAround = (around: Buffer): object => {
  try {
    return readJson(around, { isStart: false }) as object
  } catch (error) {
    if (!(error instanceof InvalidJson)) throw error
    throw wrong(`the object around "messages" ${error.message}`)
  }
}

/** Invalid JSON ends the file: nothing after it can be trusted. A duplicate key rejects only its message. */
const parseEntry = (bytes: Buffer, at: Place, column: number): FileEntry => {
  try {
    return parsed(bytes, at)
  } catch (error) {
    if (!(error instanceof InvalidJson)) throw error
    const place = placeWithin(error, at.line, column)
    if (error.fault === 'duplicate-key') return { ...at, ...place, problem: error.message }
    throw new WrongPlace({ ...place, reason: error.message })
  }
}

const placeWithin = ({ place }: InvalidJson, line: number, column: number) => {
  if (place === undefined) return { line, column }
  return { line: line + place.line - 1, column: place.line === 1 ? column + place.column - 1 : place.column }
}

type Place = { readonly line: number; readonly number?: number }

const parsed = (bytes: Uint8Array, at: Place): FileEntry => {
  const entry = readJson(bytes, { isStart: false })
  if (typeof entry !== 'object' || entry === null || Array.isArray(entry)) return { ...at, entry }
  const fields = entry as Readonly<Record<string, unknown>>
  const rounded = roundedAmong(bytes, fields, NUMBERS, (path) => isRead(path, fields['usage_format']))
  if (rounded === undefined) return { ...at, entry }
  const remedy = IDS.includes(rounded) ? '; write it as a string' : ''
  return { ...at, field: rounded, problem: `${ROUNDED}${remedy}` }
}

const isRead = ([field, ...path]: JsonPath, format: unknown): boolean =>
  field !== 'usage' || isReadAs(typeof format === 'string' ? format : undefined, path.join('.'))

const IDS = ['id', 'report_id']
const NUMBERS = [...IDS, ...MESSAGE_FIELDS.filter(({ cells }) => cells === 'numbers').map(({ name }) => name)]

/** Fails with one error for the file, rather than one per message, if it contains something else. */
const checkShape = (first: FileEntry, line: number): void => {
  const entry = 'entry' in first ? first.entry : undefined
  if (typeof entry !== 'object' || entry === null || Array.isArray(entry)) return
  if ('id' in entry || 'text' in entry || 'timestamp' in entry) return
  const keys = Object.keys(entry)
  const found = keys.length === 0 ? 'no keys' : `the ${keys.length === 1 ? 'key' : 'keys'} ${listed(keys)}`
  const reason = 'messages' in entry ? '"messages" must be an array' : `an object with ${found} is not a message`
  throw new WrongPlace({
    line,
    column: 1,
    reason: `${reason}; expected {"messages":[…]}, […] or objects with id, timestamp and text, report_id, model, usage or quantities`,
  })
}

/** Shows keys that look like names. Others could be texts. */
const listed = (keys: readonly string[]): string => {
  const shown = keys.slice(0, KEYS_SHOWN).map((key) => (/^[\w.-]{1,40}$/.test(key) ? `"${key}"` : '…'))
  return `${shown.join(', ')}${keys.length > KEYS_SHOWN ? ' and others' : ''}`
}

const KEYS_SHOWN = 10

export async function* ndjsonEntries(chunks: Chunks, lineEnd: '\n' | '\r'): AsyncGenerator<FileEntries> {
  const splitter = new LineSplitter({ end: lineEnd.charCodeAt(0) })
  let isFirst = true
  const entriesIn = (lines: Iterable<Line>): FileEntries => {
    const entries: FileEntry[] = []
    for (const { number, bytes } of lines) {
      const entry = bytes && parseLine(bytes, number)
      if (entry === undefined) continue
      if (isFirst) checkShape(entry, number)
      isFirst = false
      entries.push(entry)
    }
    return entries
  }
  for await (const chunk of chunks) yield entriesIn(splitter.push(chunk))
  const last = splitter.end()
  if (last !== undefined) yield entriesIn([last])
}

const parseLine = (bytes: Uint8Array, line: number): FileEntry | undefined => {
  if (isBlank(bytes)) return undefined
  try {
    return parsed(bytes, { line })
  } catch (error) {
    if (!(error instanceof InvalidJson)) throw error
    return { ...placeWithin(error, line, 1), line, problem: error.message }
  }
}

const isBlank = (bytes: Uint8Array): boolean =>
  bytes.every((byte) => byte === 0x20 || byte === 0x09 || byte === 0x0d || byte === 0x1a)
