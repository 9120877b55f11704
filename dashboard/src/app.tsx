import { useQueryClient } from '@tanstack/react-query'
import { ApiError } from 'copilot-credits-client'
import { lazy, Suspense, useEffect, useState } from 'react'
import { Boundary, Reload } from './boundary.tsx'
import { type Overview, useOverview } from './data.ts'
import { failureText } from './failure-text.ts'
import { focusMain } from './focus.ts'
import { Header } from './header.tsx'
import { Loading } from './loading.tsx'
import { Notices } from './notices.tsx'
import { Panel } from './panel.tsx'
import { SignIn } from './sign-in.tsx'
import { indexAt } from './usage.ts'
import { UsageArea } from './usage-area.tsx'
import { changeView, useView, type View } from './view.ts'
import { ViewLink } from './view-link.tsx'

export const loadMessages = async () => ({ default: (await import('./messages-area.tsx')).MessagesArea })
const MessagesArea = lazy(loadMessages)
const RateCardsArea = lazy(async () => ({ default: (await import('./rate-cards-area.tsx')).RateCardsArea }))

/** The receipt, where no list of messages shows it. */
const Receipt = lazy(async () => ({ default: (await import('./receipt.tsx')).Receipt }))

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
        {view.area === undefined && <NowhereArea />}
        {view.area !== undefined && data !== undefined && !(isPlaceholderData && error !== null) && (
          <Content view={view} overview={data} isBusy={isBusy} />
        )}
        {view.area !== undefined && data === undefined && error === null && <Loading />}
      </main>
      {view.message !== undefined && (view.area !== 'messages' || (data === undefined && error !== null)) && (
        <Boundary fallback={<ReceiptFailed />}>
          <Suspense>
            <Receipt
              view={view}
              id={view.message}
              timeZone={data?.timeZone ?? 'UTC'}
              messages={NO_MESSAGES}
              isBeside={false}
            />
          </Suspense>
        </Boundary>
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

const NO_MESSAGES: readonly never[] = []

const ReceiptFailed = () => (
  <Panel title="Message" close={() => changeView({ message: undefined })}>
    <LoadFailed />
  </Panel>
)

const TryItFailed = () => (
  <Panel title="Try it" close={() => changeView({ isTrying: false })}>
    <LoadFailed />
  </Panel>
)

const LoadFailed = () => (
  <Reload>
    <p>Could not load this part of the page. The service may have been updated since you opened it.</p>
  </Reload>
)

/** There is nothing at the address. */
const NowhereArea = () => (
  <div className="content">
    <section className="card nowhere">
      <h2>Page not found</h2>
      <p>
        There is nothing at <code>{location.pathname}</code>. Check the address, or go to{' '}
        <ViewLink change={{ area: 'usage' }}>the usage</ViewLink>.
      </p>
    </section>
  </div>
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

type ContentProps = { readonly view: View; readonly overview: Overview; readonly isBusy: boolean }

const Content = ({ view, overview, isBusy }: ContentProps) => {
  const chosen = view.bar === undefined ? undefined : overview.bars[indexAt(overview.bars, Date.parse(view.bar))]
  return (
    <div className={isBusy ? 'content busy' : 'content'}>
      <Boundary key={view.area} fallback={<LoadFailed />}>
        <Suspense fallback={<Loading />}>
          {view.area !== 'rate-cards' && <Notices view={view} overview={overview} />}
          {view.area === 'usage' && <UsageArea view={view} overview={overview} chosen={chosen} />}
          {view.area === 'messages' && <MessagesArea view={view} overview={overview} chosen={chosen} />}
          {view.area === 'rate-cards' && <RateCardsArea session={overview.session} />}
        </Suspense>
      </Boundary>
    </div>
  )
}
