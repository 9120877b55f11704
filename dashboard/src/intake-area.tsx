import type { Intake, Session } from 'copilot-credits-client'
import { useId, useState } from 'react'
import { failureText } from './failure-text.ts'
import { count, dateTime } from './format.ts'
import { useIntake } from './intake-data.ts'
import {
  arrivedIn,
  type IntakeReason,
  type IntakeSource,
  OUTCOMES,
  outcomeName,
  reasonText,
  sourceName,
} from './intake-words.ts'
import './intake.css'
import { ViewLink } from './view-link.tsx'

type Props = { readonly session: Session; readonly organization: string | undefined }

/** What arrived, from whom, and what became of it. */
export const IntakeArea = ({ session, organization }: Props) => {
  const [isOfAll, setIsOfAll] = useState(false)
  const { data, error, refetch } = useIntake(organization, isOfAll)
  const timeZone = session.organization.time_zone
  return (
    <>
      <div className="intake-head">
        <p className="hint">
          If the service runs several processes, each counts what reaches it. This one started{' '}
          {/* Has its room before it is known. */}
          <span className={data === undefined ? 'unknown' : undefined}>
            {dateTime(Date.parse(data?.since ?? session.time), timeZone)}.
          </span>
        </p>
        {session.operator && (
          <label className="intake-all">
            <input type="checkbox" checked={isOfAll} onChange={({ target }) => setIsOfAll(target.checked)} />
            All organizations
          </label>
        )}
      </div>
      {error !== null && (
        <p role="alert" className="notice bad">
          <span>
            <strong>Could not load what has arrived.</strong> {failureText(error)}
          </span>
          <button type="button" onClick={() => refetch()}>
            Try again
          </button>
        </p>
      )}
      {data === undefined && error === null && <p role="status">Loading…</p>}
      {data !== undefined && <Arrivals data={data} isOfAll={isOfAll} session={session} />}
    </>
  )
}

/** An operator may have very many. */
const SHOWN_AT_ONCE = 50

type ArrivalsProps = { readonly data: Intake; readonly isOfAll: boolean; readonly session: Session }

const Arrivals = ({ data: { sources, overlaps }, isOfAll, session }: ArrivalsProps) => {
  const [shown, setShown] = useState(SHOWN_AT_ONCE)
  const timeZone = session.organization.time_zone
  const nameOf = (organization: string): string | undefined => (isOfAll ? organization : undefined)
  return (
    <>
      {overlaps.map((overlap) => (
        <OverlapNotice
          key={`${overlap.organization} ${overlap.sources}`}
          overlap={overlap}
          organization={nameOf(overlap.organization)}
        />
      ))}
      {sources.length === 0 && (
        <section className="card">
          <p>
            <strong>Nothing has arrived{isOfAll ? '' : ` for ${session.organization.name}`}.</strong>{' '}
            <ViewLink change={{ area: 'developers' }}>Developers</ViewLink> says how to send it: from code, from
            whatever sends OpenTelemetry, or from a LiteLLM proxy.
          </p>
        </section>
      )}
      {sources.slice(0, shown).map((source) => (
        <SourceCard
          key={`${source.organization} ${source.source} ${source.key?.id}`}
          source={source}
          organization={nameOf(source.organization)}
          timeZone={timeZone}
        />
      ))}
      {sources.length > shown && (
        <button type="button" className="more" onClick={() => setShown(shown + SHOWN_AT_ONCE)}>
          Show more sources
        </button>
      )}
    </>
  )
}

type OverlapProps = { readonly overlap: Intake['overlaps'][number]; readonly organization: string | undefined }

const OverlapNotice = ({ overlap: { sources, calls }, organization }: OverlapProps) => (
  <p className="notice bad">
    <span>
      <strong>
        {sources.map(sourceName).join(' and ')} seem to report the same calls
        {organization !== undefined && ` of ${organization}`}.
      </strong>{' '}
      {count(calls)} {calls === 1 ? 'call' : 'calls'} of the same member, model and tokens arrived from both within a
      minute, and both are charged. Report each call through one door.
    </span>
  </p>
)

type SourceProps = {
  readonly source: IntakeSource
  /** If sources of several organizations are shown. */
  readonly organization: string | undefined
  readonly timeZone: string
}

const SourceCard = ({ source, organization, timeZone }: SourceProps) => {
  const id = useId()
  const { key, last_seen: lastSeen, reasons } = source
  const from = [
    key === undefined ? 'no key' : `key ${key.name || key.id}`,
    ...(organization === undefined ? [] : [organization]),
  ].join(', ')
  return (
    <section className="card intake-source" aria-labelledby={id}>
      <header className="intake-source-head">
        <h2 id={id}>
          {sourceName(source.source)} <span className="note">{from}</span>
        </h2>
        <p className="note">
          Last seen <time dateTime={lastSeen}>{dateTime(Date.parse(lastSeen), timeZone)}</time>
        </p>
      </header>
      <dl className="intake-counts">
        <div>
          <dt>Arrived</dt>
          <dd>{count(arrivedIn(source))}</dd>
        </div>
        {OUTCOMES.map(({ id: outcome, name, isFault }) => (
          <div key={outcome} className={source[outcome] === 0 ? 'none' : isFault ? 'fault' : undefined}>
            <dt>{name}</dt>
            <dd>{count(source[outcome])}</dd>
          </div>
        ))}
      </dl>
      {reasons.length > 0 && (
        <ul className="intake-reasons" aria-label="Reasons">
          {reasons.map((reason) => (
            <ReasonItem
              key={JSON.stringify([reason.outcome, reason.field, reason.reason])}
              reason={reason}
              organization={source.organization}
            />
          ))}
        </ul>
      )}
    </section>
  )
}

type ReasonProps = { readonly reason: IntakeReason; readonly organization: string }

const ReasonItem = ({ reason, organization }: ReasonProps) => {
  const { outcome, records, latest_id: latest } = reason
  return (
    <li>
      <span className="intake-outcome">
        {outcomeName(outcome)} {count(records)}
      </span>
      <span>
        {reasonText(reason)}
        {latest !== undefined && (
          <span className="note intake-latest">
            Latest:{' '}
            {outcome === 'conflict' ? (
              <ViewLink change={{ area: 'messages', message: latest, organization }}>{String(latest)}</ViewLink>
            ) : (
              <code>{String(latest)}</code>
            )}
          </span>
        )}
      </span>
    </li>
  )
}
