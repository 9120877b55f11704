import type { Cell } from './cell.ts'
import { type Credits, toDecimal } from './credits.ts'
import type { RecordedLine } from './usage-record.ts'

/** What `/usage` needs of a line. The report's name is present if a report priced the message. */
export type UsageLine = Pick<RecordedLine, 'messageId' | 'timestamp' | 'credits'> & {
  readonly cell: Pick<Cell, 'reportName'>
}

/** An unpriced message has no line in `/usage`. */
export type ChargedLine = UsageLine & { readonly credits: Credits }

export const isCharged = (line: UsageLine): line is ChargedLine => line.credits !== undefined

/** The frozen JSON of a usage line. Amounts are written from the digits of the integer, so they have no rounding error. */
export const toUsageText = (line: ChargedLine, toText: (name: string) => string = JSON.stringify): string => {
  const id = typeof line.messageId === 'number' ? line.messageId : JSON.stringify(line.messageId)
  const report = line.cell.reportName === undefined ? '' : `,"report_name":${toText(line.cell.reportName)}`
  const timestamp = JSON.stringify(line.timestamp)
  return `{"message_id":${id},"timestamp":${timestamp}${report},"credits_used":${toDecimal(line.credits)}}`
}
