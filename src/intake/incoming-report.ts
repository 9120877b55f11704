/** Validates reports and their prices, however they were received. */
import { creditsFromDecimal } from '#model/credits.ts'
import { PLAIN_TEXT } from '#model/plain-text.ts'
import { canonicalReportId, type Id, type Report } from '#model/report.ts'
import { ID, isId } from './incoming-message.ts'

/** What is wrong with a report: the field, and a phrase that completes "must be". */
export type ReportProblem = { readonly field: string; readonly expected: string }

export const REPORT_NAME_CHARACTERS_MAX = 1000

/** Validates `{id, name, credit_cost}`. Never throws. */
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
    return { field: 'name', expected: PLAIN_TEXT }
  }
  const creditCost = typeof cost === 'number' && cost >= 0 ? creditsFromDecimal(cost) : undefined
  if (creditCost === undefined) return { field: 'credit_cost', expected: COST }
  const unknown = Object.keys(input).find((field) => !FIELDS.has(field))
  if (unknown !== undefined) return { field: unknown.slice(0, 50), expected: 'absent: a report has no such field' }
  return { id: canonicalReportId(id), name, creditCost }
}

export const isReportProblem = (parsed: Report | ReportProblem): parsed is ReportProblem => 'expected' in parsed

/** `.` and `..` would be lost from a URL path. */
export const isReportId = (value: unknown): value is Id => isId(value) && value !== '.' && value !== '..'

const FIELDS = new Set(['id', 'name', 'credit_cost'])
const REPORT_ID = `${ID}, ${PLAIN_TEXT}, other than "." and ".."`
const COST = 'a number from 0 to below 8589934592 with at most six decimals'
