import { Chart } from './chart.tsx'
import { type Overview, usePeriods } from './data.ts'
import { Figures } from './figures.tsx'
import { Filters } from './filters.tsx'
import { Newest } from './newest.tsx'
import type { Bar } from './usage.ts'
import type { View } from './view.ts'

export type AreaProps = {
  readonly view: View
  readonly overview: Overview
  /** The bar that filters the messages. */
  readonly chosen: Bar | undefined
  /** The service cannot be reached, which the page says once. */
  readonly isAway: boolean
}

/** How much was used, when, and by the latest messages. */
export const UsageArea = ({ view, overview, chosen, isAway }: AreaProps) => {
  const periods = usePeriods(view.organization)
  return (
    <>
      <Filters view={view} overview={overview} chosen={chosen} />
      <Figures range={view.range} overview={overview} periods={periods.data} />
      <Chart group={view.group} overview={overview} chosen={chosen} />
      <Newest view={view} overview={overview} chosen={chosen} isAway={isAway} />
    </>
  )
}
