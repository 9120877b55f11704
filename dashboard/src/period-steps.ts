/** The periods and ranges to which the page can go from the one shown. */
import type { Period } from 'copilot-credits-client'
import { dayBefore, daysOf } from './format.ts'
import type { View } from './view.ts'

export type Chosen = Pick<View, 'period' | 'range'>

/**
 * The period before or after the one shown, or as many days before or after a range; undefined if there is none. `index` is the
 * place of the period shown among the periods, latest first; -1 if it is not one of them.
 */
export const stepFrom = (
  { range }: Pick<View, 'range'>,
  by: 'earlier' | 'later',
  periods: readonly Pick<Period, 'name' | 'start' | 'end'>[],
  index: number,
  now: number,
): Chosen | undefined => {
  if (range !== undefined) {
    const days = daysOf(range.from, range.to) * (by === 'earlier' ? 1 : -1)
    return { period: 'current', range: { from: dayBefore(range.from, days), to: dayBefore(range.to, days) } }
  }
  const next = index < 0 ? undefined : periods[by === 'earlier' ? index + 1 : index - 1]
  if (next === undefined) return undefined
  const isRunning = Date.parse(next.start) <= now && now < Date.parse(next.end)
  return { period: isRunning ? 'current' : next.name, range: undefined }
}

export type Preset = { readonly name: string; readonly range: NonNullable<View['range']> }

/** Ranges that end today. */
export const presetsFor = (today: string): readonly Preset[] => [
  { name: 'Today', range: { from: today, to: today } },
  { name: 'Yesterday', range: { from: dayBefore(today, 1), to: dayBefore(today, 1) } },
  { name: 'Last 7 days', range: { from: dayBefore(today, 6), to: today } },
  { name: 'Last 30 days', range: { from: dayBefore(today, 29), to: today } },
  { name: 'Last 90 days', range: { from: dayBefore(today, 89), to: today } },
]
