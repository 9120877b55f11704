/** Reads a file of reports. Validates each like `PUT /v1/reports/:id`, and all of them before the first price is set. */
import { readFile } from 'node:fs/promises'
import { gunzipSync } from 'node:zlib'
import { fileProblem } from '#formats/file-problem.ts'
import { InvalidJson, readJson } from '#formats/json.ts'
import { BadJsonList, type JsonElement, JsonElements } from '#formats/json-elements.ts'
import { roundedAmong } from '#formats/json-numbers.ts'
import { BadEncoding, encodingOfMark, toUtf8 } from '#formats/text-encoding.ts'
import { isReportProblem, parseReport } from '#intake/incoming-report.ts'
import type { Report } from '#model/report.ts'
import { WrongFile } from './failure.ts'

/** Accepts `{"reports":[{id, name, credit_cost}]}` or just the array. Throws WrongFile. */
export const readReports = async (path: string): Promise<readonly Report[]> => {
  const list = new JsonElements('reports')
  const reports: Report[] = []
  const lineOf = new Map<string, number>()
  try {
    for await (const chunk of textOf(path)) {
      for (const element of list.push(chunk)) {
        const report = reportIn(path, element)
        const before = lineOf.get(String(report.id))
        if (before !== undefined)
          throw wrong(path, element.line, `report ${report.id} appears twice, first on line ${before}`)
        lineOf.set(String(report.id), element.line)
        reports.push(report)
      }
    }
    list.end()
    const around = list.around()
    if (around !== undefined) readJson(around, { isStart: false })
  } catch (error) {
    if (error instanceof BadJsonList || error instanceof BadEncoding)
      throw wrong(path, error.line, `column ${error.column}: ${error.message}`)
    if (error instanceof InvalidJson) throw new WrongFile(path, `: the object around the reports ${error.message}`)
    throw error
  }
  if (reports.length === 0) throw new WrongFile(path, ': contains no reports')
  return reports
}

const wrong = (path: string, line: number, reason: string): WrongFile =>
  new WrongFile(path, `, line ${line}: ${reason}`)

async function* textOf(path: string): AsyncGenerator<Buffer> {
  const bytes = await readWhole(path)
  async function* chunks(): AsyncGenerator<Buffer> {
    yield bytes
  }
  const mark = encodingOfMark(bytes)
  if (mark === 'utf-32') throw new WrongFile(path, ': is UTF-32; save it as UTF-8')
  yield* toUtf8(chunks(), mark ?? 'utf-8')
}

const readWhole = async (path: string): Promise<Buffer> => {
  try {
    const bytes = await readFile(path)
    return bytes[0] === 0x1f && bytes[1] === 0x8b ? gunzipSync(bytes) : bytes
  } catch (error) {
    throw new WrongFile(path, `: ${fileProblem(error)}`)
  }
}

const reportIn = (path: string, { bytes, line }: JsonElement): Report => {
  let value: unknown
  try {
    value = readJson(bytes, { isStart: false })
  } catch (error) {
    if (!(error instanceof InvalidJson)) throw error
    throw wrong(path, line + (error.place?.line ?? 1) - 1, error.message)
  }
  if (typeof value === 'object' && value !== null && 'reports' in value)
    throw wrong(path, line, '"reports" must be an array')
  const report = parseReport(value)
  if (!isReportProblem(report)) {
    const rounded = roundedAmong(bytes, value as Readonly<Record<string, unknown>>, ['id', 'credit_cost'])
    if (rounded === undefined) return report
    throw wrong(path, line, `${rounded} of a report has more digits than a 64-bit float can hold`)
  }
  const { field, expected } = report
  throw wrong(path, line, `${field === '' ? 'a report' : `${field} of a report`} must be ${expected}`)
}
