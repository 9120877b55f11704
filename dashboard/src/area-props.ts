/** What the areas of a period are given. */
import type { Overview } from './data.ts'
import type { Bar } from './usage.ts'
import type { View } from './view.ts'

export type AreaProps = {
  readonly view: View
  readonly overview: Overview
  /** The bar that everything but the chart is narrowed to. */
  readonly chosen: Bar | undefined
  /** The service cannot be reached, which the page says once. */
  readonly isAway: boolean
}
