import { AREAS, isOfSession, showsUsage } from './areas.ts'
import { ComparePicker } from './compare-picker.tsx'
import { type Overview, usePeriods } from './data.ts'
import { ExportButton } from './export-button.tsx'
import { dateTime } from './format.ts'
import { Age, type Freshness } from './live.tsx'
import { PeriodPicker } from './period-picker.tsx'
import { CopyLink, shareAddress } from './share.tsx'
import { addressOf, type View } from './view.ts'
import { ZonePicker } from './zone.tsx'

type Props = {
  readonly view: View
  /** While another period loads, the one before. */
  readonly overview: Overview | undefined
  readonly isLoading: boolean
  readonly freshness: Freshness
  readonly isFetching: boolean
  readonly refresh: () => void
}

/** Which area and period is shown, and how fresh it is. */
export const PageHead = ({ view, overview, isLoading, freshness, isFetching, refresh }: Props) => {
  const periods = usePeriods(view.organization).data ?? []
  return (
    <div className={overview === undefined ? `page-head awaits-${view.area}` : 'page-head'}>
      <h1>{AREAS.find(({ id }) => id === view.area)?.name ?? 'Page not found'}</h1>
      {!isOfSession(view.area) && <PeriodPicker view={view} overview={overview} isLoading={isLoading} />}
      {overview && view.area === 'usage' && <ComparePicker view={view} overview={overview} />}
      {overview && !isOfSession(view.area) && (
        <div className="state">
          {isLoading ? <p>Loading…</p> : <Live overview={overview} freshness={freshness} />}
          {showsUsage(view.area) ? (
            <ZonePicker view={view} overview={overview} />
          ) : (
            <span className="zone" title="Days and billing periods are those of this time zone.">
              {overview.timeZone}
            </span>
          )}
          <button type="button" className="quiet" onClick={refresh} aria-busy={isFetching}>
            Refresh
          </button>
          {view.area === 'usage' && !isLoading && <ExportButton view={view} overview={overview} />}
          <CopyLink address={isLoading ? addressOf(view) : shareAddress(view, overview, periods)} />
        </div>
      )}
    </div>
  )
}

type LiveProps = { readonly overview: Overview; readonly freshness: Freshness }

const Live = ({ overview: { isStale, asOf, timeZone }, freshness: { at, isLive } }: LiveProps) =>
  isStale ? (
    <p role="status" className="badge">
      Copilot service unreachable. Showing data from{' '}
      <time dateTime={new Date(asOf).toJSON()}>{dateTime(asOf, timeZone)}</time>
    </p>
  ) : (
    <p className={isLive ? 'live' : undefined}>
      {isLive ? 'Live · updated ' : 'Updated '}
      <Age at={at} timeZone={timeZone} />
    </p>
  )
