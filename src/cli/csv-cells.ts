/**
 * Ids as spreadsheets and data frames write them. One that is plainly an id is taken; one that was an id once and has been
 * rewritten (5392.0, 1E+15, NaN, 005392) is refused: nobody can tell which id it was.
 */
import type { Id } from '#model/report.ts'

/** A cell that is no id, in words that complete "must be". */
export class NotAnId {
  readonly expected: string

  constructor(expected: string) {
    this.expected = expected
  }
}

/** `5392` is a number; with `isText` every id stays a text, and leading zeros are part of it. */
export const idOfCell = (cell: string, isText: boolean): Id | NotAnId => {
  if (INTEGER.test(cell)) {
    const number = Number(cell)
    return isText || !Number.isSafeInteger(number) ? cell : number
  }
  if (PLAIN_NAME.test(cell) && !MISSING.has(cell.toLowerCase())) return cell
  const expected = problemOf(cell, isText)
  return expected === undefined ? cell : new NotAnId(expected)
}

/** `5392` and `"5392"` name the same report. */
export const reportIdOfCell = (cell: string, isText: boolean): Id | NotAnId =>
  idOfCell(cell, isText && !INTEGER.test(cell))

/** Names of members: as an id that is a text. */
export const nameOfCell = (cell: string): string | NotAnId => {
  if (PLAIN_NAME.test(cell) && !MISSING.has(cell.toLowerCase())) return cell
  const expected = aroundProblemOf(cell)
  return expected === undefined ? cell : new NotAnId(expected)
}

const INTEGER = /^(?:0|-?[1-9]\d*)$/
/** Most ids that are no integers: no number begins with a letter. */
const PLAIN_NAME = /^[A-Za-z_][\w:-]*$/

/** What stands for "nothing" in files of pandas, R, SQL and spreadsheets, and what they write for errors. */
const MISSING: ReadonlySet<string> = new Set(
  (
    'nan -nan na n/a #n/a #na <na> nat none null (null) <null> nil undefined (none) (blank) inf -inf infinity -infinity ' +
    '1.#ind -1.#ind 1.#qnan -1.#qnan #ref! #value! #name? #div/0! #num! #null! #error! \\n - -- --- ? .'
  ).split(' '),
)

const aroundProblemOf = (cell: string): string | undefined => {
  if (cell !== cell.trim() || INVISIBLE.test(cell)) return 'without spaces around it and without invisible characters'
  if (MISSING.has(cell.toLowerCase()) || /^#+$/.test(cell)) {
    return 'an id, and not how a missing value or an error is written: leave the field empty if there is none'
  }
  return undefined
}

const INVISIBLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]|^\p{Z}|\p{Z}$/u

const problemOf = (cell: string, isText: boolean): string | undefined => {
  const around = aroundProblemOf(cell)
  if (around !== undefined) return around
  if (/^[+-]?\d+(?:[.,]\d+)?E[+-]\d+$/.test(cell)) return REWRITTEN
  if (isText) return undefined
  if (/[^\P{N}0-9]/u.test(cell) && /^[\p{N}\p{P}\p{Z}]+$/u.test(cell)) return 'in the digits 0 to 9'
  if (/^[-+]?0\d+$/.test(cell)) return `without zeros before it${AS_TEXT}`
  if (/^['’‘`=]/.test(cell)) return 'without the sign before it with which spreadsheets mark a text'
  return NUMBER_LIKE.some((form) => form.test(cell)) ? REWRITTEN : undefined
}

const AS_TEXT = ', or, if ids are texts, in a file that is read with --string-ids'
const REWRITTEN =
  'a whole number in plain digits, as in 5392, or a text that is no number: pandas writes 5392.0 for a column with gaps (use astype("Int64")), spreadsheets 1E+15 and 5,392 (format the column as text)'

/** Numbers that are written otherwise than an id. */
const NUMBER_LIKE = [
  /^[-+−]?\d+[.,]\d*$/,
  /^[-+−]?[.,]\d+$/,
  /^[-+−]?\d+(?:[.,]\d+)?e[-+]?\d+$/i,
  /^[-+−]?\d{1,3}(?:[,.'’_\p{Z}]\d{2,3})+(?:[.,]\d+)?$/u,
  /^[+−]\d+$/,
  /^-0$/,
  /^\(\d+\)$/,
  /^[$€£]\s?\d|^\d[\d.,]*\s?[%$€£]$/,
]
