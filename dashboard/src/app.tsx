import { useQueryClient } from '@tanstack/react-query'
import { ApiError } from 'copilot-credits-client'
import { lazy, Suspense, useEffect, useMemo, useState } from 'react'
import { Boundary, Reload } from './boundary.tsx'
import { Chart } from './chart.tsx'
import { agreeing, type Overview, useLines, useOverview, usePeriods } from './data.ts'
import { Figures } from './figures.tsx'
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

/** With the rules and their tables: fetched when it is opened. */
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
  const leave = (): void => {
    setWasSignedIn(false)
    queries.resetQueries()
  }
  const isBusy = isPlaceholderData && error === null
  return (
    <>
      <Header view={view} overview={data} isFetching={overview.isFetching} refresh={refresh} leave={leave} />
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
      <p>This part of the page could not be fetched. There may be a newer version of it.</p>
    </Reload>
  </Panel>
)

/** Whether there was a session before the service said that there is none. */
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
  const isAsIs = view.period === 'current' && view.range === undefined && view.organization === undefined
  return (
    <div role="alert" className="notice bad">
      <div>
        <strong>{isShown ? 'The usage could not be refreshed.' : 'The usage could not be fetched.'}</strong>
        <p>{reasonOf(error)}</p>
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
      {isAsIs && !isShown && (
        <button type="button" onClick={() => changeView({ period: 'previous' })}>
          Show the previous period
        </button>
      )}
      {!isAsIs && (
        <button
          type="button"
          onClick={() => {
            focusMain()
            changeView({ period: 'current', range: undefined, organization: undefined, bar: undefined })
          }}
        >
          Show the current period
        </button>
      )}
    </div>
  )
}

const reasonOf = (error: Error): string =>
  error instanceof ApiError ? `${error.problem.title}: ${error.message}.` : error.message

/** With an upstream: why this may be more, or less, than what the Copilot service lists. */
const Beside = ({ overview: { notListed, notRecorded } }: { readonly overview: Overview }) => (
  <>
    {notListed !== undefined && notListed.messages > 0 && (
      <p className="notice">
        <span>
          {messagesName(notListed.messages)} ({credits(notListed.micros)} credits) charged here{' '}
          {notListed.messages === 1 ? 'is' : 'are'} not listed by the Copilot service.
        </span>
      </p>
    )}
    {notRecorded !== undefined && (
      <p className="notice bad">
        <span>
          {messagesName(notRecorded.messages)} ({credits(notRecorded.micros)} credits) could not be recorded while the
          database was unavailable, and {notRecorded.messages === 1 ? 'is' : 'are'} missing here.
        </span>
      </p>
    )}
  </>
)

type ContentProps = { readonly view: View; readonly overview: Overview; readonly isBusy: boolean }

const Content = ({ view, overview, isBusy }: ContentProps) => {
  const periods = usePeriods(view.organization)
  const chosen = view.bar === undefined ? undefined : overview.bars[indexAt(overview.bars, Date.parse(view.bar))]
  const lines = useLines(view, overview, chosen)
  const { lines: rows, isPaged, isComplete } = lines
  const shown = useMemo(
    () => agreeing(overview, { lines: rows, isPaged, isComplete }),
    [overview, rows, isPaged, isComplete],
  )
  const shownBar = chosen && shown.bars[indexAt(shown.bars, chosen.from)]
  return (
    <div className={isBusy ? 'content busy' : 'content'}>
      {overview.session.source === 'bundled-sample' && (
        <p className="notice">
          <span>
            <strong>This is the bundled sample:</strong> there is no usage yet. Report messages, or name the service
            that lists them, as <a href="/docs">the documentation</a> says.
          </span>
        </p>
      )}
      <Beside overview={overview} />
      <Figures range={view.range} organization={view.organization} overview={shown} periods={periods.data} />
      <Chart group={view.group} overview={shown} chosen={shownBar} />
      <UsageTable view={view} overview={shown} chosen={shownBar} {...lines} />
    </div>
  )
}
