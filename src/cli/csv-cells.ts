/**
 * Ids as spreadsheets and data frames write them. An id that a program has rewritten (5392.0, 1E+15, NaN, 005392) is
 * rejected, because the original can no longer be known.
 */
import { exactNumber } from '#formats/json-numbers.ts'
import { type Id, parseId } from '#model/report.ts'

/** `expected` completes "must be". */
export class NotAnId {
  readonly expected: string

  constructor(expected: string) {
    this.expected = expected
  }
}

/** `5392` is a number. With `isText`, every id is a string, and leading zeros are part of it. */
export const idOfCell = (cell: string, isText: boolean): Id | NotAnId => {
  if (INTEGER.test(cell)) return isText ? cell : parseId(cell)
  if (PLAIN_NAME.test(cell) && !MISSING.has(cell.toLowerCase())) return cell
  const expected = problemOf(cell, isText)
  return expected === undefined ? cell : new NotAnId(expected)
}

/** `5392` and `"5392"` name the same report. */
export const reportIdOfCell = (cell: string, isText: boolean): Id | NotAnId =>
  idOfCell(cell, isText && !INTEGER.test(cell))

/** The name of a member, a team or a model: any text that is not a placeholder. */
export const nameOfCell = (cell: string): string | NotAnId => {
  if (PLAIN_NAME.test(cell) && !MISSING.has(cell.toLowerCase())) return cell
  const expected = aroundProblemOf(cell)
  return expected === undefined ? cell : new NotAnId(expected)
}

/** The value of an attribute. Python and spreadsheets write flags as `True` and `TRUE`. */
export const flagOrNameOfCell = (cell: string): boolean | string | NotAnId => {
  if (cell === 'true' || cell === 'True' || cell === 'TRUE') return true
  return cell === 'false' || cell === 'False' || cell === 'FALSE' ? false : nameOfCell(cell)
}

/** A number that would lose a digit, or is in another notation, stays a text, which is no number for any field. */
export const numberOfCell = (cell: string): number | string => exactNumber(cell) ?? cell

const INTEGER = /^(?:0|-?[1-9]\d*)$/
/** Most ids that are not integers. A fast path: no rewritten number starts with a letter. */
const PLAIN_NAME = /^[A-Za-z_][\w:-]*$/

/** Placeholders for missing values and errors in files from pandas, R, SQL and spreadsheets. */
const MISSING: ReadonlySet<string> = new Set(
  (
    'nan -nan na n/a #n/a #na <na> nat none null (null) <null> nil undefined (none) (blank) inf -inf infinity -infinity ' +
    '1.#ind -1.#ind 1.#qnan -1.#qnan #ref! #value! #name? #div/0! #num! #null! #error! \\n - -- --- ? .'
  ).split(' '),
)

const aroundProblemOf = (cell: string): string | undefined => {
  if (cell !== cell.trim() || INVISIBLE.test(cell)) return 'free of surrounding spaces and invisible characters'
  if (MISSING.has(cell.toLowerCase()) || /^#+$/.test(cell)) {
    return 'a value, not a placeholder for a missing value or an error; leave the field empty if there is no value'
  }
  return undefined
}

const INVISIBLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]|^\p{Z}|\p{Z}$/u

const problemOf = (cell: string, isText: boolean): string | undefined => {
  const around = aroundProblemOf(cell)
  if (around !== undefined) return around
  if (/^[+-]?\d+(?:[.,]\d+)?E[+-]\d+$/.test(cell)) return REWRITTEN
  if (isText) return undefined
  if (/[^\P{N}0-9]/u.test(cell) && /^[\p{N}\p{P}\p{Z}]+$/u.test(cell)) return 'written in the digits 0 to 9'
  if (/^[-+]?0\d+$/.test(cell)) return `without leading zeros${AS_TEXT}`
  if (/^['’‘`=]/.test(cell)) return 'without the prefix that spreadsheets use to mark a text'
  return NUMBER_LIKE.some((form) => form.test(cell)) ? REWRITTEN : undefined
}

const AS_TEXT = '; if ids are strings, import with --string-ids'
const REWRITTEN =
  'a whole number in plain digits, such as 5392, or a text that is not a number; pandas writes 5392.0 in a column with gaps (use astype("Int64")), spreadsheets write 1E+15 and 5,392 (format the column as text)'

/** Numbers in any notation other than that of an id. */
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
