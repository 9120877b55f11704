/** Reports as they are given to us with their prices, over HTTP or in a file: what is accepted, and what is said of what is not. */
import { creditsFromDecimal } from '#model/credits.ts'
import type { Id, Report } from '#model/report.ts'
import { isId } from './incoming-message.ts'

/** What is wrong with a report: its field, and what completes "must be". */
export type ReportProblem = { readonly field: string; readonly expected: string }

export const REPORT_NAME_CHARACTERS_MAX = 1000

/** Parses `{id, name, credit_cost}`. Never throws. */
export const parseReport = (input: unknown): Report | ReportProblem => {
  if (typeof input !== 'object' || input === null || Array.isArray(input)) {
    return { field: '', expected: 'an object {id, name, credit_cost}' }
  }
  const { id, name, credit_cost: cost } = input as Readonly<Record<string, unknown>>
  if (!isReportId(id)) return { field: 'id', expected: REPORT_ID }
  if (typeof name !== 'string' || name === '' || [...name].length > REPORT_NAME_CHARACTERS_MAX) {
    return { field: 'name', expected: `a string of 1 to ${REPORT_NAME_CHARACTERS_MAX} characters` }
  }
  if (!name.isWellFormed() || name.includes('\u0000')) {
    return { field: 'name', expected: 'without U+0000 and lone surrogates' }
  }
  const creditCost = typeof cost === 'number' && cost >= 0 ? creditsFromDecimal(cost) : undefined
  if (creditCost === undefined) return { field: 'credit_cost', expected: COST }
  const unknown = Object.keys(input).find((field) => !FIELDS.has(field))
  if (unknown !== undefined) return { field: unknown.slice(0, 50), expected: 'absent: it is no field of a report' }
  return { id: canonicalReportId(id), name, creditCost }
}

export const isReportProblem = (parsed: Report | ReportProblem): parsed is ReportProblem => 'expected' in parsed

/** `.` and `..` would be lost from a path. */
export const isReportId = (value: unknown): value is Id => isId(value) && value !== '.' && value !== '..'

/** `5392` and `"5392"` name the same report. */
export const canonicalReportId = (id: Id): Id => {
  const number = Number(id)
  return Number.isSafeInteger(number) && String(number) === id ? number : id
}

const FIELDS = new Set(['id', 'name', 'credit_cost'])
const REPORT_ID =
  'an integer between -(2^53 - 1) and 2^53 - 1 or a string of 1 to 200 characters, without U+0000 and lone surrogates and neither "." nor ".."'
const COST = 'a number from 0 to below 8589934592 with at most six decimals'
