import type { Cell } from './cell.ts'
import { toDecimal } from './credits.ts'
import type { RecordedLine } from './usage-record.ts'

/** An entry of `/usage`. The report's name is present if a report priced the message. */
export type UsageLine = Pick<RecordedLine, 'messageId' | 'timestamp' | 'credits'> & {
  readonly cell: Pick<Cell, 'reportName'>
}

/** The frozen JSON of a usage line. Amounts are written from the digits of the integer, so they have no rounding error. */
export const toUsageText = (line: UsageLine, toText: (name: string) => string = JSON.stringify): string => {
  const id = typeof line.messageId === 'number' ? line.messageId : JSON.stringify(line.messageId)
  const report = line.cell.reportName === undefined ? '' : `,"report_name":${toText(line.cell.reportName)}`
  const timestamp = JSON.stringify(line.timestamp)
  return `{"message_id":${id},"timestamp":${timestamp}${report},"credits_used":${toDecimal(line.credits)}}`
}
