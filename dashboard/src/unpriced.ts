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
