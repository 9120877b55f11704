import type { Credits } from './credits.ts'
import type { Id } from './report.ts'

/** An entry of `/usage`. */
export type UsageLine = {
  readonly messageId: Id
  readonly timestamp: string
  /** Present if a report priced the message. */
  readonly reportName?: string
  readonly credits: Credits
}
