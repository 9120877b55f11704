import { useMemo } from 'react'
import type { AreaProps } from './area-props.ts'
import { Chart } from './chart.tsx'
import { useCompared } from './compared.ts'
import { Figures } from './figures.tsx'
import { Filters } from './filters.tsx'
import { forecastOf } from './forecast.ts'
import { weekdayOf } from './format.ts'
import { PrintedHead } from './printed-head.tsx'
import { Rankings } from './rankings.tsx'
import { ShortList } from './short-list.tsx'

/** How much was used, when, why it changed, by whom, and by which messages. */
export const UsageArea = ({ view, overview, chosen, isAway }: AreaProps) => {
  const compared = useCompared(view.compare, overview, chosen)
  const { same, span, bars, history, isPending } = compared
  const forecast = useMemo(() => {
    const { bars: days, session, timeZone, bucket, isListing } = overview
    if (bucket !== 'day' || isListing) return undefined
    return forecastOf(days, history ?? [], Date.parse(session.time), (at) => weekdayOf(at, timeZone))
  }, [overview, history])
  return (
    <>
      <PrintedHead title="Usage" view={view} overview={overview} chosen={chosen} />
      <Filters view={view} overview={overview} chosen={chosen} />
      <Figures overview={overview} chosen={chosen} compared={compared} forecast={forecast} />
      <Chart
        view={view}
        overview={overview}
        chosen={chosen}
        before={bars}
        beforeName={span}
        forecast={forecast}
        isBusy={isPending}
      />
      <div className="pair">
        <Rankings
          ranking={view.ranking}
          overview={overview}
          chosen={chosen}
          before={same}
          beforeName={compared.words}
        />
        <ShortList view={view} overview={overview} chosen={chosen} isAway={isAway} />
      </div>
    </>
  )
}
