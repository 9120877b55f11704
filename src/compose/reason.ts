import type { ReasonOf } from '#model/usage-record.ts'

/** The one place that explains unpriced messages. */
export const reasonOf: ReasonOf = () => 'no price'
