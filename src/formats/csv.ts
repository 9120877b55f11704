/**
 * Splits a stream of CSV (RFC 4180) into records. Lines end with LF, CRLF or CR, even mixed; a line end inside quotes is kept
 * as it is. A malformed record is returned with its problem: nothing is guessed and nothing is dropped.
 */

export type CsvProblem = {
  readonly line: number
  /** Counts from 1, in UTF-16 units, as editors do. */
  readonly column: number
  readonly reason: string
}

/** `line` and `lastLine` count from 1. They differ if a quoted field contains line ends. */
export type CsvRecord =
  | { readonly line: number; readonly fields: readonly string[] }
  | { readonly line: number; readonly lastLine: number; readonly problem: CsvProblem }

export class CsvReader {
  readonly #delimiter: number
  /** The start of a record whose end has not arrived yet. */
  #pending: string[] = []
  #pendingLength = 0
  #line = 1

  /** `delimiter` is one character. */
  constructor(delimiter: string) {
    this.#delimiter = delimiter.charCodeAt(0)
  }

  /** Returns the records that end in `text`. Empty lines are skipped. */
  push(text: string): readonly CsvRecord[] {
    this.#pending.push(text)
    this.#pendingLength += text.length
    // A long record is scanned again only once it has doubled in length, which keeps the total time linear.
    if (this.#pendingLength < this.#lookAgainAt) return []
    return this.#read(false)
  }

  /** Returns the records that are left at the end of the input. */
  end(): readonly CsvRecord[] {
    return this.#read(true)
  }

  #lookAgainAt = 0

  #read(isEnd: boolean): readonly CsvRecord[] {
    const text = this.#pending.join('')
    const records: CsvRecord[] = []
    let from = 0
    while (from < text.length) {
      const next = this.#readRecord(text, from, isEnd, records)
      if (next < 0) break
      from = next
    }
    const rest = text.slice(from)
    if (rest.length > RECORD_MAX) {
      const reason = `the record that starts here is longer than ${RECORD_MAX} characters; a quote may be unclosed`
      throw new CsvTooLong({ line: this.#line, column: 1, reason })
    }
    this.#pending = rest === '' ? [] : [rest]
    this.#pendingLength = rest.length
    this.#lookAgainAt = rest.length > LONG ? rest.length * 2 : 0
    return records
  }

  /** Reads the record at `start`. Returns the position of the next one, or -1 if this one is not complete yet. */
  #readRecord(text: string, start: number, isEnd: boolean, records: CsvRecord[]): number {
    const delimiter = this.#delimiter
    const end = text.length
    const fields: string[] = []
    let lineEnds = 0
    let at = start
    for (;;) {
      if (text.charCodeAt(at) === QUOTE) {
        const close = closingQuote(text, at + 1)
        if (close < 0 || (close + 1 === end && !isEnd)) {
          return isEnd ? this.#refuse(text, start, at, end, QUOTE_UNCLOSED, records) : -1
        }
        const field = text.slice(at + 1, close)
        lineEnds += lineEndsIn(field)
        fields.push(field.includes('"') ? field.replaceAll('""', '"') : field)
        at = close + 1
        const code = text.charCodeAt(at)
        if (at < end && code !== delimiter && code !== LF && code !== CR) {
          return this.#skip(text, start, at, isEnd, AFTER_QUOTE, records)
        }
      } else {
        const from = at
        let code = 0
        for (; at < end; at++) {
          code = text.charCodeAt(at)
          if (code === delimiter || code === LF || code === CR || code === QUOTE) break
        }
        if (at === end && !isEnd) return -1
        if (at < end && code === QUOTE) return this.#skip(text, start, at, isEnd, QUOTE_INSIDE, records)
        fields.push(text.slice(from, at))
      }
      if (at < end && text.charCodeAt(at) === delimiter) {
        at++
        if (at === end && !isEnd) return -1
        continue
      }
      const next = afterLineEnd(text, at, isEnd)
      if (next < 0) return -1
      if (at > start) records.push({ line: this.#line, fields })
      this.#line += lineEnds + (next > at ? 1 : 0)
      return next
    }
  }

  /** A malformed record ends at the end of its line: its quotes can no longer be trusted. */
  #skip(text: string, start: number, at: number, isEnd: boolean, reason: string, records: CsvRecord[]): number {
    let stop = at
    while (stop < text.length && text.charCodeAt(stop) !== LF && text.charCodeAt(stop) !== CR) stop++
    const next = stop === text.length && !isEnd ? -1 : afterLineEnd(text, stop, isEnd)
    return next < 0 ? -1 : this.#refuse(text, start, at, next, reason, records)
  }

  #refuse(text: string, start: number, at: number, next: number, reason: string, records: CsvRecord[]): number {
    const before = text.slice(start, at)
    const column = before.length - Math.max(before.lastIndexOf('\n'), before.lastIndexOf('\r'))
    const lineEnds = lineEndsIn(text.slice(start, next))
    const endsWithLine = next > start && /[\r\n]/.test(text.charAt(next - 1))
    const lastLine = this.#line + lineEnds - (endsWithLine ? 1 : 0)
    const problem = { line: this.#line + lineEndsIn(before), column, reason }
    records.push({ line: this.#line, lastLine, problem })
    this.#line += lineEnds
    return next
  }
}

/** A record longer than the limit. Nothing after it can be read. */
export class CsvTooLong extends Error {
  readonly problem: CsvProblem

  constructor(problem: CsvProblem) {
    super(problem.reason)
    this.name = 'CsvTooLong'
    this.problem = problem
  }
}

const [QUOTE, LF, CR] = [0x22, 0x0a, 0x0d]
const LONG = 256 * 1024
const RECORD_MAX = 64 * 1024 * 1024

const QUOTE_UNCLOSED = 'this quote is never closed'
const AFTER_QUOTE =
  'text after a closing quote: double any quote inside a quoted field, and put nothing between the closing quote and the next delimiter'
const QUOTE_INSIDE = 'a quote inside an unquoted field: put the whole field in quotes and double the quotes inside it'

const closingQuote = (text: string, from: number): number => {
  for (let at = text.indexOf('"', from); at >= 0; at = text.indexOf('"', at + 2)) {
    if (text.charCodeAt(at + 1) !== QUOTE) return at
  }
  return -1
}

/** The position after the line end at `at`, or the end of the text; -1 if a CR may be the first half of CRLF. */
const afterLineEnd = (text: string, at: number, isEnd: boolean): number => {
  if (text.charCodeAt(at) !== CR) return Math.min(at + 1, text.length)
  if (at + 1 === text.length && !isEnd) return -1
  return text.charCodeAt(at + 1) === LF ? at + 2 : at + 1
}

const lineEndsIn = (text: string): number =>
  text.includes('\n') || text.includes('\r') ? (text.match(/\r\n?|\n/g)?.length ?? 0) : 0
