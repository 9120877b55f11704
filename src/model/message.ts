import type { Id } from './report.ts'

/** One request to the copilot, as it came in. */
export type Message = {
  readonly id: Id
  readonly text: string
  /** RFC 3339, as it was received: it is echoed, not normalised. */
  readonly timestamp: string
  /** The report that was asked for. Absent where none was (`null` at the edge). */
  readonly reportId?: Id
  /** Who in the organization sent it, where that is known. */
  readonly member?: string
}
