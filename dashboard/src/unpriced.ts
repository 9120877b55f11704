/** Why messages have no price, and what would give them one. */
import type { Line } from './usage.ts'

export type Reason = {
  readonly text: string
  readonly messages: number
  /** The model that lacks a price, if that is why. */
  readonly model: string | undefined
}

/** The most frequent first. */
export const reasonsOf = (lines: readonly Line[]): readonly Reason[] => {
  const reasons = new Map<string, Reason>()
  for (const { unpriced: text, model } of lines) {
    if (text === undefined) continue
    const known = reasons.get(text)
    reasons.set(text, {
      text,
      messages: (known?.messages ?? 0) + 1,
      model: known?.model ?? (text.startsWith('the model ') ? model : undefined),
    })
  }
  return [...reasons.values()].sort((one, other) => other.messages - one.messages)
}

/** What a rate card must have so that it prices all messages that have no price, for each of their reasons. */
export type Needs = {
  readonly models: readonly string[]
  /** Other things that the card must have. */
  readonly others: readonly string[]
}

export const needsOf = (reasons: readonly Reason[]): Needs => ({
  models: [...new Set(reasons.flatMap(({ model }) => model ?? []))],
  others: [...new Set(reasons.flatMap(({ text, model }) => (model === undefined ? [needOf(text)] : [])))],
})

/** As the service begins the reason. */
const NEEDS: readonly (readonly [RegExp, string])[] = [
  [/^no case holds/, 'a case for every message'],
  [/^the message names no model/, 'a case for messages that name no model'],
  [/^no line of the case /, 'a line for whatever a message brings'],
]

const needOf = (text: string): string =>
  NEEDS.find(([pattern]) => pattern.test(text))?.[1] ?? 'a price for these messages'
