import { useQueryClient } from '@tanstack/react-query'
import { ConnectionError } from 'copilot-credits-client'
import { lazy, type ReactNode, Suspense, useEffect, useState } from 'react'
import { AREAS, type Area, isOfSession, showsUsage } from './areas.ts'
import { Boundary, LoadFailed } from './boundary.tsx'
import { chosenIn, type Overview, useAreChoicesPending, useOverview, useUnpriced } from './data.ts'
import { Failure } from './failure.tsx'
import { NO_FILTERS } from './filters.tsx'
import { spanName } from './format.ts'
import { Header } from './header.tsx'
import { LazyReceipt } from './lazy-receipt.tsx'
import { useFreshness } from './live.tsx'
import { Loading } from './loading.tsx'
import { AddressNotices, MovedNotice, Notices } from './notices.tsx'
import { PageHead } from './page-head.tsx'
import { Panel } from './panel.tsx'
import { isPassing, useRecovery } from './recovery.ts'
import { type Shown, useShown } from './shown.ts'
import { SignIn } from './sign-in.tsx'
import { UsageArea } from './usage-area.tsx'
import { changeView, useView } from './view.ts'
import { ViewLink } from './view-link.tsx'

export const loadMessages = async () => ({ default: (await import('./messages-area.tsx')).MessagesArea })
const MessagesArea = lazy(loadMessages)
const RateCardsArea = lazy(async () => ({ default: (await import('./rate-cards-area.tsx')).RateCardsArea }))

const SessionArea = lazy(async () => ({ default: (await import('./session-area.tsx')).SessionArea }))

/** Loaded only when opened, because it includes the pricing rules and their tables. */
const TryIt = lazy(async () => ({ default: (await import('./try-it.tsx')).TryIt }))

export const App = () => {
  const view = useView()
  const overview = useOverview(view)
  const queries = useQueryClient()
  const { data, isPlaceholderData } = overview
  const [wasSignedIn, setWasSignedIn] = useWasSignedIn(data)
  const { error, shown, last, isSignedOut, moved, forget, dismissMove } = useShown(view, overview)
  const freshness = useFreshness(view, isPlaceholderData ? undefined : data, error === null)
  useRecovery(isPassing(error) ? overview.errorUpdatedAt : undefined, async () => {
    const { isSuccess } = await overview.refetch()
    if (isSuccess) await queries.refetchQueries({ type: 'active', predicate: ({ state }) => state.status === 'error' })
  })
  useTitle(isSignedOut ? undefined : shown)
  useEffect(() => {
    if (isSignedOut) forget()
  }, [isSignedOut, forget])
  // What was filtered or opened was the other organization's.
  useEffect(() => {
    if (moved !== undefined) changeView({ ...NO_FILTERS, message: undefined }, 'typing')
  }, [moved])
  if (isSignedOut) return <SignIn hasEnded={wasSignedIn} />
  const refresh = (): void => {
    queries.invalidateQueries()
  }
  const forgetSession = (): void => {
    setWasSignedIn(false)
    forget()
    queries.resetQueries()
  }
  return (
    <>
      <header>
        <Header view={view} overview={last?.overview} onSignedOut={forgetSession} />
        <PageHead
          view={shown?.view ?? view}
          overview={last?.overview}
          isLoading={shown === undefined && error === null}
          freshness={freshness}
          isFetching={overview.isFetching}
          refresh={refresh}
        />
      </header>
      <main aria-busy={isPlaceholderData && error === null} tabIndex={-1}>
        {moved !== undefined && <MovedNotice {...moved} dismiss={dismissMove} />}
        {error !== null && <Failure view={view} error={error} shown={shown} refresh={refresh} at={freshness.at} />}
        {view.area === undefined && <Nowhere />}
        {view.area !== undefined && shown !== undefined && (
          <Content {...shown} isBusy={isPlaceholderData && error === null} isAway={error instanceof ConnectionError} />
        )}
        {view.area !== undefined && shown === undefined && error === null && <Loading area={view.area} />}
        {isOfSession(view.area) && shown === undefined && error !== null && (
          <Suspense>
            <SessionArea view={view} session={undefined} />
          </Suspense>
        )}
      </main>
      {view.message !== undefined && (!showsUsage(view.area) || (shown === undefined && error !== null)) && (
        <LazyReceipt
          view={view}
          id={view.message}
          timeZone={data?.timeZone ?? 'UTC'}
          messages={NO_MESSAGES}
          isBeside={false}
        />
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

const TryItFailed = () => (
  <Panel title="Try it" close={() => changeView({ isTrying: false })}>
    <LoadFailed />
  </Panel>
)

/** There is nothing at the address. */
const Nowhere = () => (
  <section className="card nowhere">
    <p>
      There is nothing at <code>{location.pathname}</code>. Check the address, or go to{' '}
      <ViewLink change={{ area: 'usage' }}>Usage</ViewLink>.
    </p>
  </section>
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

/** `Message 1042 · Acme Ltd · Usage · 1 – 30 Nov 2026`, so that one of many tabs can be found. */
const useTitle = (shown: Shown | undefined): void => {
  useEffect(() => {
    document.title = shown === undefined ? 'Copilot Credits' : titleOf(shown)
  }, [shown])
}

const titleOf = ({ view, overview: { session, from, to, timeZone } }: Shown): string => {
  const area = AREAS.find(({ id }) => id === view.area)
  const span = showsUsage(area?.id) ? [spanName(from, to, timeZone)] : []
  const opened = view.message !== undefined ? [`Message ${view.message}`] : view.card !== undefined ? [view.card] : []
  return [...opened, session.organization.name, area?.name ?? 'Page not found', ...span].join(' · ')
}

type ContentProps = Shown & { readonly isBusy: boolean; readonly isAway: boolean }

const Content = ({ view, overview, isBusy, isAway }: ContentProps) => {
  const chosen = chosenIn(overview, view)
  const area = { view, overview, chosen, isAway }
  const content = (
    <>
      <AddressNotices view={view} overview={overview} chosen={chosen} />
      {showsUsage(view.area) && <Notices view={view} overview={overview} />}
      <Boundary key={view.area} fallback={<LoadFailed />}>
        <Suspense fallback={<Loading area={view.area} />}>
          {view.area === 'usage' && <UsageArea {...area} />}
          {view.area === 'messages' && <MessagesArea {...area} />}
          {view.area === 'rate-cards' && <RateCardsArea view={view} overview={overview} />}
          {isOfSession(view.area) && <SessionArea view={view} session={overview.session} />}
        </Suspense>
      </Boundary>
    </>
  )
  const className = isBusy ? 'content busy' : 'content'
  if (!showsUsage(view.area)) return <div className={className}>{content}</div>
  return (
    <OnceSettled area={view.area} overview={overview} className={className}>
      {content}
    </OnceSettled>
  )
}

type OnceSettledProps = {
  readonly area: Area | undefined
  readonly overview: Overview
  readonly className: string
  readonly children: ReactNode
}

/** Shown once it is known how much room the notices and filters at its top need, so that they move nothing. */
const OnceSettled = ({ area, overview, className, children }: OnceSettledProps) => {
  const areChoicesPending = useAreChoicesPending(overview)
  const { isPending } = useUnpriced(overview)
  const isKnown = !areChoicesPending && !isPending
  const [isSettled, setIsSettled] = useState(false)
  useEffect(() => {
    if (!isKnown) return
    // What has just become known is laid out in a frame before the one in which it is seen.
    let frame = requestAnimationFrame(() => {
      frame = requestAnimationFrame(() => setIsSettled(true))
    })
    return () => cancelAnimationFrame(frame)
  }, [isKnown])
  return (
    <div className={isSettled ? className : `${className} settling`}>
      {!isSettled && <Loading area={area} />}
      {children}
    </div>
  )
}
