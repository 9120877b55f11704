/**
 * Reads the current period from two files shaped like the Copilot service's responses, `{"messages":[…]}` and
 * `{"reports":[…]}`, with the same checks. The bundled sample is read this way.
 */
import { createReadStream } from 'node:fs'
import { readFile, stat } from 'node:fs/promises'
import type { CopilotService } from '#current-period/copilot-service.ts'
import { fileProblem } from '#formats/file-problem.ts'
import { parseJson } from '#formats/json-listing.ts'
import { ServiceError } from '#model/errors.ts'
import type { Id, Report } from '#model/report.ts'
import { MalformedAnswer, parseReport } from './schemas.ts'
import { readListing } from './upstream.ts'

export type PeriodFiles = { readonly messages: string; readonly reports: string | undefined }

/** A file is missing, unreadable or has invalid content. */
export class UnusableFile extends ServiceError {
  constructor(path: string, reason: string, options?: ErrorOptions) {
    super('unusable-file', `${path}: ${reason}`, options)
  }
}

export const createFileSource = ({ messages, reports }: PeriodFiles): CopilotService => {
  let catalogue: Promise<ReadonlyMap<string, Report>> | undefined
  return {
    list: async ({ start, since, progress }) => {
      const { version, size } = await stateOf(messages)
      if (since?.etag === version) return 'unchanged'
      const reading = readListing(start())
      let bytes = 0
      try {
        for await (const chunk of createReadStream(messages)) {
          reading.push(chunk as Uint8Array)
          bytes += (chunk as Uint8Array).length
          progress?.(bytes, size)
        }
        return { value: reading.end(), validators: { etag: version } }
      } catch (error) {
        if (error instanceof ServiceError) throw error
        throw toUnusable(messages, error)
      }
    },
    lookUpReports: () => {
      const wanted = new Set<Id>()
      return {
        want: (id) => wanted.add(id),
        reports: async () => {
          if (reports !== undefined && wanted.size > 0) catalogue ??= readReports(reports)
          const known = await catalogue
          const answers = new Map<Id, Report | undefined>()
          for (const id of wanted) answers.set(id, known?.get(String(id)))
          return answers
        },
        cancel: () => {},
      }
    },
    close: async () => {},
  }
}

/** `version` changes whenever the file changes. */
const stateOf = async (path: string): Promise<{ readonly version: string; readonly size: number }> => {
  try {
    const { mtimeMs, size, ino } = await stat(path)
    return { version: `${mtimeMs}-${size}-${ino}`, size }
  } catch (error) {
    throw toUnusable(path, error)
  }
}

const readReports = async (path: string): Promise<ReadonlyMap<string, Report>> => {
  try {
    const root = parseJson([await readFile(path)], 'the file')
    const reports = typeof root === 'object' && root !== null && 'reports' in root ? root.reports : undefined
    if (!Array.isArray(reports)) throw new MalformedAnswer('must be an object with a "reports" array')
    const catalogue = new Map<string, Report>()
    for (const each of reports as readonly unknown[]) {
      const id = idOf(each)
      const report = parseReport(each, id)
      const before = catalogue.get(id) ?? report
      if (before.name !== report.name || before.creditCost !== report.creditCost) {
        throw new MalformedAnswer(`report ${JSON.stringify(report.id)} is listed twice, with different contents`)
      }
      catalogue.set(id, report)
    }
    return catalogue
  } catch (error) {
    throw toUnusable(path, error)
  }
}

const idOf = (report: unknown): string =>
  String(typeof report === 'object' && report !== null && 'id' in report ? report.id : undefined)

const toUnusable = (path: string, cause: unknown): UnusableFile => new UnusableFile(path, fileProblem(cause), { cause })
