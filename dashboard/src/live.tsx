import { useQueryClient } from '@tanstack/react-query'
import { useEffect, useState } from 'react'
import { isRunning } from './comparison.ts'
import { type Overview, useVersion } from './data.ts'
import { clockTime, dateTime } from './format.ts'
import type { View } from './view.ts'

export type Freshness = {
  /** When what is shown was last known to be current. */
  readonly at: number
  /** Changes appear within seconds. */
  readonly isLive: boolean
}

/** Asks every few seconds whether the usage shown has changed, and if so fetches it. */
export const useFreshness = (view: View, overview: Overview | undefined, isReachable: boolean): Freshness => {
  const queries = useQueryClient()
  const { data: version, error, dataUpdatedAt } = useVersion(view, overview, isReachable)
  const hasChanged = version !== undefined && overview !== undefined && version !== overview.version
  const isNewer = overview !== undefined && dataUpdatedAt > overview.asOf
  useEffect(() => {
    if (hasChanged && isNewer) queries.invalidateQueries({ queryKey: ['overview'] }, { cancelRefetch: false })
  }, [queries, hasChanged, isNewer])
  const at = overview?.asOf ?? 0
  return {
    at: hasChanged || version === undefined ? at : Math.max(at, dataUpdatedAt),
    isLive: version !== undefined && error === null && isReachable && overview !== undefined && isRunning(overview),
  }
}

/** How old the data is, by the second. */
export const Age = ({ at, timeZone }: { readonly at: number; readonly timeZone: string }) => {
  const [now, setNow] = useState(Date.now)
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 1000)
    return () => clearInterval(timer)
  }, [])
  return (
    <time dateTime={new Date(at).toJSON()} title={`${dateTime(at, timeZone)} (${clockTime(at, timeZone)})`}>
      {ageName(Math.max(now - at, 0))}
    </time>
  )
}

/** `4 s ago`. */
export const ageName = (ms: number): string => {
  const seconds = Math.floor(ms / 1000)
  if (seconds < 60) return `${seconds} s ago`
  const minutes = Math.floor(seconds / 60)
  return minutes < 60 ? `${minutes} min ago` : `${Math.floor(minutes / 60)} h ago`
}
