import { ApiError, type Charge, ConnectionError } from 'copilot-credits-client'
import { useState } from 'react'
import { ChargeLines } from './charge-lines.tsx'
import { useCharges } from './data.ts'
import { failureText } from './failure-text.ts'
import { credits, dateTime, toMicros } from './format.ts'
import { Panel } from './panel.tsx'
import { changeView, type View } from './view.ts'

type Props = { readonly view: View; readonly id: number | string; readonly timeZone: string }

/** What a message was charged, line by line. */
export const Why = ({ view, id, timeZone }: Props) => {
  const { data, error, isPending, refetch } = useCharges(id, view.organization)
  return (
    <Panel title={`Message ${id}`} close={() => changeView({ message: undefined })}>
      {isPending && <p role="status">Loading charge…</p>}
      {error !== null && (
        <div role="alert" className="notice bad">
          <p>
            {error instanceof ApiError && error.status === 404
              ? 'Message not found. Check its ID, and whether it belongs to another organization.'
              : `Could not load the charge. ${failureText(error)}`}
          </p>
          {isRetryable(error) && (
            <button type="button" onClick={() => refetch()}>
              Try again
            </button>
          )}
        </div>
      )}
      {data?.charges.map((charge) => (
        <ChargeDetails key={charge.revision} charge={charge} timeZone={timeZone} />
      ))}
      {data !== undefined && <CopyLink />}
    </Panel>
  )
}

/** Other errors are final: the service or the client rejected the request itself. */
const isRetryable = (error: Error): boolean =>
  error instanceof ConnectionError || (error instanceof ApiError && (error.status === 404 || error.status >= 429))

const ChargeDetails = ({ charge, timeZone }: { readonly charge: Charge; readonly timeZone: string }) => {
  const isSuperseded = charge.state === 'superseded'
  return (
    <section aria-label={isSuperseded ? 'Superseded charge' : 'Charge'} className={isSuperseded ? 'superseded' : ''}>
      {isSuperseded && <p className="notice">{whySuperseded(charge)}</p>}
      <p className="big">
        {credits(toMicros(charge.credits ?? 0))} <span>credits</span>
      </p>
      <dl>
        <dt>Sent</dt>
        <dd>
          {dateTime(Date.parse(charge.timestamp), timeZone)} <span className="note">{charge.timestamp}</span>
        </dd>
        {charge.report_id !== undefined && (
          <>
            <dt>Report</dt>
            <dd>
              {charge.report_name ?? charge.report_id}, {credits(toMicros(charge.credits ?? 0))} credits
            </dd>
          </>
        )}
        {charge.user_id !== undefined && (
          <>
            <dt>Member</dt>
            <dd>{charge.user_id}</dd>
          </>
        )}
        <dt>Rate card</dt>
        <dd>{charge.rate_card}</dd>
      </dl>
      <ChargeLines
        lines={charge.lines.map((line) => ({
          ...line,
          rate: toMicros(line.rate),
          credits: toMicros(line.credits),
        }))}
        total={toMicros(charge.credits ?? 0)}
      />
    </section>
  )
}

const CHANGES: Readonly<Record<NonNullable<Charge['changed']>[number], string>> = {
  text: 'the text',
  timestamp: 'the time',
  user_id: 'the member',
  report: 'the report',
  report_name: 'the report’s name',
  price: 'the report’s price',
  rate_card: 'the rate card',
  content: 'the text',
}

const whySuperseded = ({ changed = [] }: Charge): string => {
  const names = changed.map((change) => CHANGES[change])
  const what = names.length === 0 ? 'the message' : new Intl.ListFormat('en').format(names)
  return `Superseded: ${what} changed, so this charge no longer counts.`
}

const CopyLink = () => {
  const [outcome, setOutcome] = useState('')
  const copy = async (): Promise<void> => {
    try {
      await navigator.clipboard.writeText(location.href)
      setOutcome('Copied.')
    } catch {
      setOutcome('Your browser blocked copying. Copy the link from the address bar.')
    }
  }
  return (
    <p className="copy">
      <button type="button" onClick={copy}>
        Copy link
      </button>
      <span role="status">{outcome}</span>
    </p>
  )
}
