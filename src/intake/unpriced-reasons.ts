/** Counts why messages have no price. A reason names the model, so there can be as many reasons as messages. */
export const addReason = (counts: Map<string, number>, reason: string, messages = 1): void => {
  const name = counts.has(reason) || counts.size < REASONS_MAX ? reason : OTHER_REASONS
  counts.set(name, (counts.get(name) ?? 0) + messages)
}

export const mostFrequentFirst = (counts: ReadonlyMap<string, number>): readonly (readonly [string, number])[] =>
  [...counts].toSorted(([, one], [, other]) => other - one)

const REASONS_MAX = 100
const OTHER_REASONS = 'other reasons'
