import { useQueryClient } from '@tanstack/react-query'
import { ApiError } from 'copilot-credits-client'
import { lazy, Suspense, useEffect, useState } from 'react'
import { Boundary, Reload } from './boundary.tsx'
import { Chart } from './chart.tsx'
import { type Overview, useLines, useOverview, usePeriods } from './data.ts'
import { failureText } from './failure-text.ts'
import { Figures } from './figures.tsx'
import { NO_FILTERS } from './filters.tsx'
import { focusMain } from './focus.ts'
import { credits, messagesName } from './format.ts'
import { Header } from './header.tsx'
import { Loading } from './loading.tsx'
import { Panel } from './panel.tsx'
import { SignIn } from './sign-in.tsx'
import { UsageTable } from './table.tsx'
import { indexAt } from './usage.ts'
import { changeView, useView, type View } from './view.ts'
import { Why } from './why.tsx'

/** Loaded only when opened, because it includes the pricing rules and their tables. */
const TryIt = lazy(async () => ({ default: (await import('./try-it.tsx')).TryIt }))

export const App = () => {
  const view = useView()
  const overview = useOverview(view)
  const queries = useQueryClient()
  const { data, error, isPlaceholderData } = overview
  const [wasSignedIn, setWasSignedIn] = useWasSignedIn(data)
  if (error instanceof ApiError && error.status === 401) return <SignIn hasEnded={wasSignedIn} />
  const refresh = (): void => {
    queries.invalidateQueries()
  }
  const forgetSession = (): void => {
    setWasSignedIn(false)
    queries.resetQueries()
  }
  const isBusy = isPlaceholderData && error === null
  return (
    <>
      <Header
        view={view}
        overview={data}
        isFetching={overview.isFetching}
        refresh={refresh}
        onSignedOut={forgetSession}
      />
      <main aria-busy={isBusy} tabIndex={-1}>
        {error !== null && <Failure view={view} error={error} isShown={data !== undefined} refresh={refresh} />}
        {data !== undefined && !(isPlaceholderData && error !== null) && (
          <Content view={view} overview={data} isBusy={isBusy} />
        )}
        {data === undefined && error === null && <Loading />}
      </main>
      {view.message !== undefined && (
        <Why key={JSON.stringify(view.message)} view={view} id={view.message} timeZone={data?.timeZone ?? 'UTC'} />
      )}
      {view.isTrying && view.message === undefined && (
        <Boundary fallback={<TryItFailed />}>
          <Suspense>
            <TryIt />
          </Suspense>
        </Boundary>
      )}
    </>
  )
}

const TryItFailed = () => (
  <Panel title="Try it" close={() => changeView({ isTrying: false })}>
    <Reload>
      <p>Could not load this panel. The service may have been updated since you opened the page.</p>
    </Reload>
  </Panel>
)

/** Tells an expired session from a first visit, once the service answers 401. */
const useWasSignedIn = (overview: Overview | undefined) => {
  const [wasSignedIn, setWasSignedIn] = useState(false)
  const by = overview?.session.signed_in_by
  useEffect(() => {
    if (by !== undefined) setWasSignedIn(by === 'session')
  }, [by])
  return [wasSignedIn, setWasSignedIn] as const
}

type FailureProps = {
  readonly view: View
  readonly error: Error
  readonly isShown: boolean
  readonly refresh: () => void
}

const Failure = ({ view, error, isShown, refresh }: FailureProps) => {
  const isDefaultView = view.period === 'current' && view.range === undefined && view.organization === undefined
  return (
    <div role="alert" className="notice bad">
      <div>
        <strong>{isShown ? 'Could not refresh usage.' : 'Could not load usage.'}</strong>
        <p>{failureText(error)}</p>
      </div>
      <button
        type="button"
        onClick={() => {
          focusMain()
          refresh()
        }}
      >
        Try again
      </button>
      {isDefaultView && !isShown && (
        <button type="button" onClick={() => changeView({ period: 'previous' })}>
          Show the previous period
        </button>
      )}
      {!isDefaultView && (
        <button
          type="button"
          onClick={() => {
            focusMain()
            changeView({ period: 'current', range: undefined, organization: undefined, bar: undefined })
          }}
        >
          {view.organization === undefined ? 'Show the current period' : 'Show your organization'}
        </button>
      )}
    </div>
  )
}

/** With an upstream: how the usage shown differs from the Copilot service's listing. */
const UpstreamNotices = ({ overview: { notListed, notRecorded } }: { readonly overview: Overview }) => (
  <>
    {notListed !== undefined && notListed.messages > 0 && (
      <p className="notice">
        <span>
          Includes {messagesName(notListed.messages)} ({credits(notListed.micros)} credits) that the Copilot service
          does not list.
        </span>
      </p>
    )}
    {notRecorded !== undefined && (
      <p className="notice bad">
        <span>
          {messagesName(notRecorded.messages)} ({credits(notRecorded.micros)} credits)
          {notRecorded.messages === 1 ? ' is' : ' are'} missing: the database was unavailable while the Copilot service
          listed {notRecorded.messages === 1 ? 'it' : 'them'}. Tell your operator.
        </span>
      </p>
    )}
  </>
)

/** What is not in the sums, and what to do about it. */
const UnpricedNotice = ({ view, unpriced }: { readonly view: View; readonly unpriced: number }) => (
  <p className="notice bad">
    <span>
      <strong>
        {messagesName(unpriced)} {unpriced === 1 ? 'has' : 'have'} no price.
      </strong>{' '}
      {unpriced === 1 ? 'It is' : 'They are'} not charged, and not part of any sum here. Put a rate card in force that
      prices {unpriced === 1 ? 'it' : 'them'}.
    </span>
    {!view.unpriced && (
      <button type="button" onClick={() => changeView({ ...NO_FILTERS, unpriced: true })}>
        Show {unpriced === 1 ? 'it' : 'them'}
      </button>
    )}
  </p>
)

type ContentProps = { readonly view: View; readonly overview: Overview; readonly isBusy: boolean }

const Content = ({ view, overview, isBusy }: ContentProps) => {
  const periods = usePeriods(view.organization)
  const chosen = view.bar === undefined ? undefined : overview.bars[indexAt(overview.bars, Date.parse(view.bar))]
  const lines = useLines(view, overview, chosen)
  return (
    <div className={isBusy ? 'content busy' : 'content'}>
      {overview.session.source === 'bundled-sample' && (
        <p className="notice">
          <span>
            <strong>This is sample data.</strong> To see your own usage, report messages through{' '}
            <a href="/docs">the API</a>, or set <code>UPSTREAM_URL</code> to the address of your Copilot service.
          </span>
        </p>
      )}
      {overview.unpriced > 0 && <UnpricedNotice view={view} unpriced={overview.unpriced} />}
      <UpstreamNotices overview={overview} />
      <Figures range={view.range} organization={view.organization} overview={overview} periods={periods.data} />
      <Chart group={view.group} overview={overview} chosen={chosen} />
      <UsageTable view={view} overview={overview} chosen={chosen} {...lines} />
    </div>
  )
}
