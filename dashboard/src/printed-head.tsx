import type { ReactNode } from 'react'
import type { Overview } from './data.ts'
import { dateTime, spanName } from './format.ts'
import { useMedia } from './media.ts'
import type { Bar } from './usage.ts'
import type { View } from './view.ts'
import { zoneOf } from './zone.tsx'

/** More paper than anyone reads. A CSV file has everything. */
export const ROWS_PRINTED = 2000

type Props = {
  readonly title: string
  readonly view: View
  readonly overview: Overview
  readonly chosen: Bar | undefined
  readonly children?: ReactNode
}

/** Says on paper what the page says on the screen around what is printed: whose it is, of when, and as of when. */
export const PrintedHead = ({ title, view, overview, chosen, children }: Props) => {
  // It is rendered anew when it is printed, so the time is that of printing.
  useMedia('print')
  const { session, from, to, timeZone, asOf } = overview
  const zone = zoneOf(view, overview)
  return (
    <div className="printed-head">
      <p className="printed-title">{session.organization.name}</p>
      <p>
        {title} of {spanName(chosen?.from ?? from, chosen?.to ?? to, timeZone)}. Times in {zone}.
      </p>
      <p>
        Printed {dateTime(Date.now(), zone)}, as of {dateTime(asOf, zone)}.
      </p>
      {children}
    </div>
  )
}
