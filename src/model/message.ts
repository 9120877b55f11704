import type { Id } from './report.ts'

/** One request to the copilot, as received. */
export type Message = {
  readonly id: Id
  readonly text: string
  /** RFC 3339. Returned exactly as received. */
  readonly timestamp: string
  /** The report that the message asks for, if any (`null` on the wire). */
  readonly reportId?: Id
  /** The member of the organization that sent it, if known. */
  readonly member?: string
}
