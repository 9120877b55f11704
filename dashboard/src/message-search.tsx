import { keepPreviousData, useQuery } from '@tanstack/react-query'
import { ApiError } from 'copilot-credits-client'
import { useEffect, useState } from 'react'
import { client, type Overview } from './data.ts'
import { Field } from './field.tsx'
import { NO_FILTERS } from './filters.tsx'
import { dayOf, spanName } from './format.ts'
import { changeView, readMessage, type View } from './view.ts'
import { ViewLink } from './view-link.tsx'

type Props = {
  readonly view: View
  readonly overview: Overview
  /** No message of the period matches. */
  readonly isNowhere: boolean
  /** Only a part of the messages has been looked at. */
  readonly isPart: boolean
}

/** Finds messages of the period by a part of their id, and one of any period by its whole id. */
export const MessageSearch = ({ view, overview, isNowhere, isPart }: Props) => {
  const typed = usePaused(view.search?.trim() ?? '')
  const isAsked = typed !== '' && (isNowhere || isPart)
  const { data: found } = useMessage(isAsked ? typed : undefined, view.organization)
  return (
    <search className="message-search" aria-label="Message ID">
      <Field name="Message ID contains" isInline={true}>
        {(input) => (
          <input
            {...input}
            type="search"
            placeholder="Any"
            value={view.search ?? ''}
            onChange={({ target }) => changeView({ search: target.value || undefined }, 'typing')}
          />
        )}
      </Field>
      <p role="status">{isAsked && found && <Elsewhere found={found} overview={overview} />}</p>
    </search>
  )
}

type Found = { readonly id: number | string; readonly period: { readonly start: string; readonly end: string } }

const Elsewhere = ({ found: { id, period }, overview }: { readonly found: Found; readonly overview: Overview }) => {
  const { timeZone, from, to } = overview
  const [start, end] = [Date.parse(period.start), Date.parse(period.end)]
  if (start >= from && end <= to) {
    return (
      <>
        Message {id} is in this period. <ViewLink change={{ ...NO_FILTERS, message: id }}>Show it</ViewLink>
      </>
    )
  }
  return (
    <>
      Message {id} is in {spanName(start, end, timeZone)}.{' '}
      <ViewLink change={{ ...NO_FILTERS, range: undefined, period: dayOf(start, timeZone), message: id }}>
        Show it there
      </ViewLink>
    </>
  )
}

const PAUSE_MS = 300

/** The text once nobody has typed for a moment. */
const usePaused = (text: string): string => {
  const [paused, setPaused] = useState(text)
  useEffect(() => {
    const timer = setTimeout(() => setPaused(text), PAUSE_MS)
    return () => clearTimeout(timer)
  }, [text])
  return paused
}

/** Null if there is no such message. The text of a number can also be the id of a message that is not a number. */
const useMessage = (text: string | undefined, organization: string | undefined) =>
  useQuery({
    queryKey: ['message', organization, text],
    enabled: text !== undefined,
    placeholderData: keepPreviousData,
    retry: false,
    queryFn: async ({ signal }): Promise<Found | null> => {
      const id = readMessage(text)
      for (const each of typeof id === 'number' ? [id, String(id)] : [id]) {
        if (each === undefined) continue
        try {
          const { charges } = await client.charges(each, { organization }, { signal })
          const period = charges[0]?.period
          if (period !== undefined) return { id: each, period }
        } catch (error) {
          if (!(error instanceof ApiError && error.status === 404)) throw error
        }
      }
      return null
    },
  })
