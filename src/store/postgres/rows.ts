/** How ids of messages are kept: in two columns, so that integers sort by value, before texts. */
import type { Id } from '#model/report.ts'
import { wholeNumber } from '../shared/rows.ts'
import type { Row } from '../shared/steps.ts'

/** The value of `message_number` if the id is a text. */
const NAMED = 2 ** 53

/** The columns `message_number` and `message_name` of an id. */
export const numberAndName = (id: Id): readonly [number, string] => (typeof id === 'number' ? [id, ''] : [NAMED, id])

export const messageIdOf = (row: Row): Id => {
  const name = row['message_name'] as string
  return name === '' ? wholeNumber(row['message_number']) : name
}
