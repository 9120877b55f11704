/** Why a period cost more or less than the one before it: what contributed most to the change. */
import { DIMENSIONS, type Dimension } from './dimensions.ts'
import type { Line, Part } from './usage.ts'

/** The usage of a dimension's values, now and before. */
export type Change = { readonly now: readonly Part[]; readonly before: readonly Part[] }

export type Contribution = {
  readonly dimension: Dimension
  /** Undefined for messages without one. */
  readonly value: string | undefined
  readonly micros: number
}

export type Causes = {
  /** A single message that is a large part of an increase. */
  readonly message: (Line & { readonly micros: number }) | undefined
  /** At most one of each dimension, the largest first. */
  readonly contributions: readonly Contribution[]
}

/** Less than this part of the change is no cause that is worth a word. */
const SHARE_MIN = 0.1

/**
 * Each contribution is true on its own, and they overlap: what a member used more of can be the report that was used more. A
 * dimension with a single value explains nothing.
 */
export const causesOf = (
  change: number,
  changes: Readonly<Partial<Record<Dimension, Change>>>,
  dearest: Line | undefined,
): Causes => {
  const least = Math.max(Math.abs(change) * SHARE_MIN, 1)
  const contributions = DIMENSIONS.flatMap((dimension) => {
    const all = changes[dimension] === undefined ? [] : differencesOf(dimension, changes[dimension])
    if (all.length < 2) return []
    // That messages without a report cost more says something, that nobody knows whose they were does not.
    const values = all.filter(({ value }) => value !== undefined || dimension === 'report')
    const [most] = values.sort((one, other) => Math.sign(change) * (other.micros - one.micros))
    return most !== undefined && most.micros * Math.sign(change) >= least ? [most] : []
  }).sort((one, other) => Math.abs(other.micros) - Math.abs(one.micros))
  const isCause = dearest?.micros !== undefined && change > 0 && dearest.micros >= least && dearest.micros <= change
  return { message: isCause ? { ...dearest, micros: dearest.micros ?? 0 } : undefined, contributions }
}

const differencesOf = (dimension: Dimension, { now, before }: Change): Contribution[] => {
  const differences = new Map<string | undefined, number>()
  const add = (part: Part, sign: number): void => {
    const value = part[dimension]
    differences.set(value, (differences.get(value) ?? 0) + sign * part.micros)
  }
  for (const part of now) add(part, 1)
  for (const part of before) add(part, -1)
  return [...differences].map(([value, micros]) => ({ dimension, value, micros }))
}
