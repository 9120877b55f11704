import { useMemo } from 'react'
import type { AreaProps } from './area-props.ts'
import { Chart } from './chart.tsx'
import { barBefore, rangeBefore, spanBefore } from './comparison.ts'
import { type Overview, useBarsBefore, usePeriods } from './data.ts'
import { Figures } from './figures.tsx'
import { Filters } from './filters.tsx'
import { forecastOf } from './forecast.ts'
import { weekdayOf } from './format.ts'
import { PrintedHead } from './printed-head.tsx'
import { Rankings } from './rankings.tsx'
import { ShortList } from './short-list.tsx'
import type { Bar } from './usage.ts'

/** How much was used, when, why it changed, by whom, and by which messages. */
export const UsageArea = ({ view, overview, chosen, isAway }: AreaProps) => {
  const before = useBefore(overview, chosen)
  const { bars, isPending } = useBarsBefore(overview, before.whole)
  const forecast = useMemo(() => {
    const { bars: days, session, timeZone, bucket, isListing } = overview
    if (bucket !== 'day' || isListing) return undefined
    return forecastOf(days, bars ?? [], Date.parse(session.time), (at) => weekdayOf(at, timeZone))
  }, [overview, bars])
  return (
    <>
      <PrintedHead title="Usage" overview={overview} chosen={chosen} />
      <Filters view={view} overview={overview} chosen={chosen} />
      <Figures overview={overview} chosen={chosen} before={before.same} forecast={forecast} />
      <Chart view={view} overview={overview} chosen={chosen} before={bars} forecast={forecast} isBusy={isPending} />
      <div className="pair">
        <Rankings ranking={view.ranking} overview={overview} chosen={chosen} before={before.same} />
        <ShortList view={view} overview={overview} chosen={chosen} isAway={isAway} />
      </div>
    </>
  )
}

/** What the usage is compared with: as much of it as has gone by, and the whole. */
const useBefore = (overview: Overview, chosen: Bar | undefined) => {
  const { data: periods } = usePeriods(overview.view.organization)
  return useMemo(() => {
    const { range } = overview.view
    return {
      same:
        chosen === undefined
          ? rangeBefore(range, overview, periods ?? [])
          : barBefore(chosen, overview.bucket, overview),
      whole: spanBefore(range, overview, periods ?? []),
    }
  }, [overview, chosen, periods])
}
