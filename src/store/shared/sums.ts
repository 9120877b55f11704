/** What an append adds to a total. */
import { exactSum } from '#ledger/priced-batch.ts'

export type Sum = { messages: number; unpriced: number; credits: number | bigint }

export const emptySum = (): Sum => ({ messages: 0, unpriced: 0, credits: 0 })

/** Of one message; `credits` is undefined if it is unpriced. */
export const sumOfOne = (credits: number | undefined): Readonly<Sum> => ({
  messages: 1,
  unpriced: Number(credits === undefined),
  credits: credits ?? 0,
})

export const negated = ({ messages, unpriced, credits }: Readonly<Sum>): Readonly<Sum> => ({
  messages: -messages,
  unpriced: -unpriced,
  credits: -credits,
})

export const addTo = (sum: Sum, { messages, unpriced, credits }: Readonly<Sum>): void => {
  sum.messages += messages
  sum.unpriced += unpriced
  sum.credits = exactSum(sum.credits, credits)
}
