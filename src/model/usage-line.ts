import { type Credits, toDecimal } from './credits.ts'
import type { Id } from './report.ts'

/** An entry of `/usage`. */
export type UsageLine = {
  readonly messageId: Id
  readonly timestamp: string
  /** Present if a report priced the message. */
  readonly reportName?: string
  readonly credits: Credits
}

/** The frozen JSON of a usage line. Amounts are written from the digits of the integer, so they have no rounding error. */
export const toUsageText = (line: UsageLine, toText: (name: string) => string = JSON.stringify): string => {
  const id = typeof line.messageId === 'number' ? line.messageId : JSON.stringify(line.messageId)
  const report = line.reportName === undefined ? '' : `,"report_name":${toText(line.reportName)}`
  const timestamp = JSON.stringify(line.timestamp)
  return `{"message_id":${id},"timestamp":${timestamp}${report},"credits_used":${toDecimal(line.credits)}}`
}
