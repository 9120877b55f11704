import type { Facts } from './facts.ts'
import type { Id } from './report.ts'

/** One request to the copilot, as received. It has a text, a report, a model, tokens or quantities, and may have all of them. */
export type Message = {
  readonly id: Id
  /** Absent if the message is priced by something else. The empty text is one. */
  readonly text?: string
  /** RFC 3339. Returned exactly as received. */
  readonly timestamp: string
  /** The report that the message asks for, if any (`null` on the wire). */
  readonly reportId?: Id
  /** The member of the organization that sent it, if known. */
  readonly member?: string
  /** The team that the member belonged to, if known. */
  readonly team?: string
  /** Absent if the message brought none of them. */
  readonly brought?: BroughtFacts
}

/** The facts that the sender states, unlike those of the text and of the report. */
export type BroughtFacts = Pick<Facts, 'model' | 'tokens' | 'quantities' | 'attributes' | 'outcome'>

/** Whether there is anything that could have a price: attributes, an outcome and names of people are about something else. */
export const isAboutSomething = ({ text, reportId, brought }: Message): boolean =>
  text !== undefined ||
  reportId !== undefined ||
  brought?.model !== undefined ||
  brought?.tokens !== undefined ||
  brought?.quantities !== undefined

/** Completes "a message must have". */
export const SOMETHING = 'at least one of text, report_id, model, usage and quantities'
