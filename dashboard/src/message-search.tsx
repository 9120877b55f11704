import { keepPreviousData, useQuery } from '@tanstack/react-query'
import { type Overview, usePeriods } from './data.ts'
import { Field } from './field.tsx'
import { NO_FILTERS } from './filters.tsx'
import { spanName } from './format.ts'
import { type Found, foundQuery, isShown, periodOf } from './message-by-id.ts'
import { usePaused } from './typing.ts'
import { changeView, type View } from './view.ts'
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
  const { data: found } = useQuery({
    ...foundQuery(isAsked ? typed : undefined, view.organization),
    placeholderData: keepPreviousData,
  })
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
      <p role="status">
        {isAsked &&
          found?.map((each) => <Elsewhere key={`${typeof each.id} ${each.id}`} found={each} overview={overview} />)}
      </p>
    </search>
  )
}

const Elsewhere = ({ found, overview }: { readonly found: Found; readonly overview: Overview }) => {
  const { id, period } = found
  const periods = usePeriods(overview.view.organization).data ?? []
  if (isShown(found, overview)) {
    return (
      <>
        Message {id} is in this period. <ViewLink change={{ ...NO_FILTERS, message: id }}>Show it</ViewLink>
      </>
    )
  }
  return (
    <>
      Message {id} is in {spanName(Date.parse(period.start), Date.parse(period.end), overview.timeZone)}.{' '}
      <ViewLink change={{ ...NO_FILTERS, ...periodOf(found, overview, periods), message: id }}>Show it there</ViewLink>
    </>
  )
}
