/** What a running period is expected to come to, from what was used on the same weekdays before. */
import type { Bar } from './usage.ts'

type Day = Pick<Bar, 'from' | 'to' | 'messages' | 'micros'>

export type Forecast = {
  readonly micros: number
  /** What is expected to be added on each day that is not over, by its start. */
  readonly added: ReadonlyMap<number, number>
}

/** One day can be an exception, and two that differ say little, but they are what a new organization has. */
const SAMPLES_MIN = 2
/** Longer ago, habits were others. */
const SAMPLES_MAX = 6

/**
 * Undefined where it cannot know: unless the period is running and each weekday that is still to come has been seen at least twice
 * since the first message.
 */
export const forecastOf = (
  days: readonly Day[],
  earlier: readonly Day[],
  now: number,
  weekdayOf: (at: number) => number,
): Forecast | undefined => {
  const isRunning = days.some(({ from }) => from <= now) && days.some(({ to }) => to > now)
  if (!isRunning) return undefined
  const known = [...earlier, ...days].filter(({ to }) => to <= now)
  const begun = known.slice(
    Math.max(
      known.findIndex(({ messages }) => messages > 0),
      0,
    ),
  )
  const added = new Map<number, number>()
  for (const { from, to } of days) {
    if (to <= now) continue
    const samples = begun.filter((day) => weekdayOf(day.from) === weekdayOf(from)).slice(-SAMPLES_MAX)
    if (samples.length < SAMPLES_MIN || begun[0]?.messages === 0) return undefined
    const mean = sum(samples) / samples.length
    // Of today, what is left of it.
    added.set(from, Math.round(mean * Math.min((to - now) / (to - from), 1)))
  }
  return { micros: [...added.values()].reduce((all, each) => all + each, sum(days)), added }
}

const sum = (days: readonly Day[]): number => days.reduce((all, { micros }) => all + micros, 0)
