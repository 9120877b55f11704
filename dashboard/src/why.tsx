import { ApiError, type Charge, ConnectionError } from 'copilot-credits-client'
import { useState } from 'react'
import { ChargeLines } from './charge-lines.tsx'
import { useCharges } from './data.ts'
import { credits, dateTime, toMicros } from './format.ts'
import { Panel } from './panel.tsx'
import { changeView, type View } from './view.ts'

type Props = { readonly view: View; readonly id: number | string; readonly timeZone: string }

/** Why a message cost what it did. */
export const Why = ({ view, id, timeZone }: Props) => {
  const { data, error, isPending, refetch } = useCharges(id, view.organization)
  return (
    <Panel title={`Message ${id}`} close={() => changeView({ message: undefined })}>
      {isPending && <p role="status">Loading the charge…</p>}
      {error !== null && (
        <div role="alert" className="notice bad">
          <p>
            {error instanceof ApiError && error.status === 404
              ? 'There is no such message. It may belong to another organization.'
              : `The charge could not be fetched. ${error.message}`}
          </p>
          {canHelp(error) && (
            <button type="button" onClick={() => refetch()}>
              Try again
            </button>
          )}
        </div>
      )}
      {data?.charges.map((charge) => (
        <Explained key={charge.revision} charge={charge} timeZone={timeZone} />
      ))}
      {data !== undefined && <CopyLink />}
    </Panel>
  )
}

/** Of what the service says no to, or the client, it is the same the next time. */
const canHelp = (error: Error): boolean =>
  error instanceof ConnectionError || (error instanceof ApiError && (error.status === 404 || error.status >= 429))

const Explained = ({ charge, timeZone }: { readonly charge: Charge; readonly timeZone: string }) => {
  const isSuperseded = charge.state === 'superseded'
  return (
    <section aria-label={isSuperseded ? 'Superseded charge' : 'Charge'} className={isSuperseded ? 'superseded' : ''}>
      {isSuperseded && <p className="notice">{whySuperseded(charge)}</p>}
      <p className="big">
        {credits(toMicros(charge.credits))} <span>credits</span>
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
              {charge.report_name ?? charge.report_id}, at {credits(toMicros(charge.credits))} credits
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
        total={toMicros(charge.credits)}
      />
    </section>
  )
}

const CHANGES: Readonly<Record<NonNullable<Charge['changed']>[number], string>> = {
  text: 'the text',
  timestamp: 'the time',
  user_id: 'the member',
  report: 'the report',
  report_name: 'the name of the report',
  price: 'the price of the report',
  rate_card: 'the rate card',
  content: 'the text',
}

const whySuperseded = ({ changed = [] }: Charge): string => {
  const names = changed.map((change) => CHANGES[change])
  const what = names.length === 0 ? 'the message' : new Intl.ListFormat('en').format(names)
  return `Superseded: ${what} changed, and this charge no longer counts.`
}

const CopyLink = () => {
  const [said, setSaid] = useState('')
  const copy = async (): Promise<void> => {
    try {
      await navigator.clipboard.writeText(location.href)
      setSaid('Copied.')
    } catch {
      setSaid('The browser does not let it be copied: take it from the address bar.')
    }
  }
  return (
    <p className="copy">
      <button type="button" onClick={copy}>
        Copy link
      </button>
      <span role="status">{said}</span>
    </p>
  )
}
