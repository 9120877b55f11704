import type { Credits } from './credits.ts'
import type { Id } from './report.ts'

/** One entry of `/usage`. */
export type UsageLine = {
  readonly messageId: Id
  readonly timestamp: string
  /** Only where a report priced the message. */
  readonly reportName?: string
  readonly credits: Credits
}
