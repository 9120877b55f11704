import { ApiError } from 'copilot-credits-client'
import { useCallback, useState } from 'react'
import type { Overview, useOverview } from './data.ts'
import type { View } from './view.ts'

/** What the page shows: the overview, and the view it belongs to. */
export type Shown = { readonly view: View; readonly overview: Overview }

/** The organizations, by name, before and after somebody signed in again in another tab. */
export type Move = { readonly from: string; readonly to: string }

/**
 * What the page shows, which is not always what its address asks for: after a failure, it is the last that was loaded, under the
 * name of its own period. Undefined while another period is loading, as its name would stand over figures that are not its own.
 */
export const useShown = (view: View, overview: ReturnType<typeof useOverview>) => {
  const { data, isPlaceholderData } = overview
  const error = useLastingError(overview)
  const [last, setLast] = useState<Shown>()
  const [moved, setMoved] = useState<Move>()
  const isSignedOut = error instanceof ApiError && error.status === 401
  if (data !== undefined && !isPlaceholderData && !isSignedOut && data !== last?.overview) {
    const [from, to] = [last?.overview.session.organization, data.session.organization]
    if (from !== undefined && last?.view.organization === view.organization && from.id !== to.id) {
      setMoved({ from: from.name, to: to.name })
    }
    setLast({ view, overview: data })
  }
  const forget = useCallback(() => {
    setLast(undefined)
    setMoved(undefined)
  }, [])
  const dismissMove = useCallback(() => setMoved(undefined), [])
  const isOther = last?.view.organization !== view.organization
  return {
    error,
    shown: shownOf(view, last, error),
    last: isOther ? undefined : last,
    isSignedOut,
    moved,
    forget,
    dismissMove,
  }
}

/** The error stays while the same is tried again, or the notice would come and go with each attempt. */
const useLastingError = (overview: ReturnType<typeof useOverview>): Error | null => {
  const { data, error, errorUpdatedAt, isPlaceholderData } = overview
  const [failed, setFailed] = useState<{ readonly at: number; readonly error: Error }>()
  if (error !== null && failed?.at !== errorUpdatedAt) setFailed({ at: errorUpdatedAt, error })
  const isWithoutData = data === undefined || isPlaceholderData
  return error ?? (isWithoutData && failed !== undefined && failed.at === errorUpdatedAt ? failed.error : null)
}

const shownOf = (view: View, last: Shown | undefined, error: Error | null): Shown | undefined => {
  if (last === undefined || last.view.organization !== view.organization) return undefined
  const { period, range } = last.view
  const isAsked = period === view.period && range?.from === view.range?.from && range?.to === view.range?.to
  if (isAsked) return { view, overview: last.overview }
  return error === null ? undefined : { view: { ...view, period, range }, overview: last.overview }
}
