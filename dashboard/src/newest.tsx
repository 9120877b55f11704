import { useMemo } from 'react'
import type { AreaProps } from './area-props.ts'
import { useNewest } from './data.ts'
import { failureText } from './failure-text.ts'
import { credits, dateTime, messagesName } from './format.ts'
import { useLineFilters } from './line-filters.ts'
import { filterLines } from './lines.ts'
import type { Line } from './usage.ts'
import { ViewLink } from './view-link.tsx'

const SHOWN = 8
const PLACES = Array.from({ length: SHOWN }, (_, place) => place)

/** The latest messages that match the filters, and the way to all of them. */
export const Newest = ({ view, overview, chosen, isAway }: AreaProps) => {
  const filters = useLineFilters(view)
  const { lines, error, retry } = useNewest(overview, chosen)
  const shown = useMemo(() => lines && filterLines(lines, filters, chosen).slice(0, SHOWN), [lines, filters, chosen])
  return (
    <section
      className="card newest-card"
      aria-labelledby="newest-title"
      aria-busy={shown === undefined && error === null}
    >
      <header className="card-head">
        <h2 id="newest-title">Newest messages</h2>
      </header>
      {error !== null && !isAway && shown === undefined && (
        <p role="alert" className="notice bad">
          <span>
            <strong>Could not load the newest messages.</strong> {failureText(error)}
          </span>
          <button type="button" onClick={() => retry()}>
            Try again
          </button>
        </p>
      )}
      {shown?.length === 0 ? (
        <p className="nothing">
          {overview.messages === 0 ? 'No messages in this period.' : 'No recent messages match.'}
        </p>
      ) : (
        <table className="newest">
          <thead>
            <tr>
              <th scope="col" className="c-at">
                Timestamp
              </th>
              <th scope="col">Message ID</th>
              <th scope="col">Report</th>
              {overview.members.length > 0 && <th scope="col">Member</th>}
              <th scope="col" className="c-credits">
                Credits
              </th>
            </tr>
          </thead>
          <tbody>
            {shown === undefined
              ? PLACES.slice(0, overview.messages).map((place) => (
                  <tr key={place}>
                    <td colSpan={overview.members.length > 0 ? 5 : 4} />
                  </tr>
                ))
              : shown.map((line) => (
                  <Row
                    key={`${typeof line.id} ${line.id}`}
                    line={line}
                    timeZone={overview.timeZone}
                    hasMembers={overview.members.length > 0}
                  />
                ))}
          </tbody>
        </table>
      )}
      <p className="all">
        <ViewLink change={{ area: 'messages' }}>
          {chosen === undefined ? `All ${messagesName(overview.messages)}` : `All ${messagesName(chosen.messages)}`}
        </ViewLink>
      </p>
    </section>
  )
}

type RowProps = { readonly line: Line; readonly timeZone: string; readonly hasMembers: boolean }

const Row = ({ line, timeZone, hasMembers }: RowProps) => (
  <tr>
    <td className="c-at">
      <time dateTime={line.timestamp} title={line.timestamp}>
        {dateTime(line.at, timeZone)}
      </time>
    </td>
    <td className="c-id" title={String(line.id)}>
      <ViewLink change={{ message: line.id }}>{line.id}</ViewLink>
    </td>
    <td className="c-report" title={line.report}>
      {line.report}
    </td>
    {hasMembers && (
      <td className="c-member" title={line.member}>
        {line.member}
      </td>
    )}
    <td className="c-credits">
      {line.micros === undefined ? (
        <span className="no-price" title={line.unpriced}>
          no price
        </span>
      ) : (
        credits(line.micros)
      )}
    </td>
  </tr>
)
