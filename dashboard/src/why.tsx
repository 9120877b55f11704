import { ApiError, type Charge, ConnectionError } from 'copilot-credits-client'
import { type ReactNode, useState } from 'react'
import { ChargeLines } from './charge-lines.tsx'
import { useCharges } from './data.ts'
import { failureText } from './failure-text.ts'
import { count, credits, dateTime, quantity, toMicros } from './format.ts'
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
      {charge.credits === undefined ? (
        <>
          <p className="big">No price</p>
          <p className="notice bad">
            <span>
              Not charged: {charge.unpriced}.{!isSuperseded && ' Put a rate card in force that prices this message.'}
            </span>
          </p>
        </>
      ) : (
        <p className="big">
          {credits(toMicros(charge.credits))} <span>credits</span>
        </p>
      )}
      <dl>
        <dt>Sent</dt>
        <dd>
          {dateTime(Date.parse(charge.timestamp), timeZone)} <span className="note">{charge.timestamp}</span>
        </dd>
        <Entry name="Report">{reportOf(charge)}</Entry>
        <Entry name="Member">{charge.user_id}</Entry>
        <Entry name="Team">{charge.team_id}</Entry>
        <Entry name="Model">{modelOf(charge)}</Entry>
        <Entry name="Outcome">{charge.outcome}</Entry>
        <Entry name="Rate card">
          {charge.rate_card}
          {charge.case !== undefined && <span className="note">, case {charge.case}</span>}
        </Entry>
      </dl>
      {charge.credits !== undefined && (
        <ChargeLines
          lines={charge.lines.map((line) => ({
            ...line,
            rate: toMicros(line.rate),
            credits: toMicros(line.credits),
          }))}
          total={toMicros(charge.credits)}
          rateCard={charge.rate_card}
        />
      )}
      {charge.unused !== undefined && (
        <p className="note">
          No line of the rate card uses {listName(charge.unused.map(factName))}, so{' '}
          {charge.unused.length === 1 ? 'it' : 'they'} did not change the price.
        </p>
      )}
      <Facts charge={charge} />
    </section>
  )
}

/** Nothing if there is no value. */
const Entry = ({ name, children }: { readonly name: string; readonly children: ReactNode }) =>
  children !== undefined && (
    <>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </>
  )

const reportOf = ({ report_id: id, report_name: name, lines }: Charge): string | undefined => {
  if (id === undefined) return undefined
  const price = lines.find(({ rule }) => rule === 'report')?.credits
  return `${name ?? id}${price === undefined ? '' : `, ${credits(toMicros(price))} credits`}`
}

const modelOf = ({ model, priced_model: priced }: Charge): string | undefined =>
  model === undefined || priced === undefined || priced === model ? model : `${model}, priced as ${priced}`

/** What the message brought besides its text and report. */
const Facts = ({ charge: { facts, measurement } }: { readonly charge: Charge }) => {
  if (facts === undefined && measurement === undefined) return undefined
  const { usage = {}, quantities = {}, attributes = {} } = facts ?? {}
  return (
    <section aria-label="Facts" className="facts">
      <h3>Facts</h3>
      <dl>
        {measurement !== undefined && (
          <Entry name="text">{`${count(measurement.code_points)} characters; the text itself is not kept`}</Entry>
        )}
        {Object.entries({ ...usage, ...quantities }).map(([name, amount]) => (
          <Entry key={name} name={factName(name)}>
            {quantity(amount)}
          </Entry>
        ))}
        {Object.entries(attributes).map(([name, value]) => (
          <Entry key={name} name={factName(name)}>
            {typeof value === 'boolean' ? (value ? 'yes' : 'no') : value}
          </Entry>
        ))}
      </dl>
    </section>
  )
}

/** `input_tokens` → `input tokens`. */
const factName = (name: string): string => name.replaceAll('_', ' ')

const listName = (names: readonly string[]): string => new Intl.ListFormat('en').format(names)

const CHANGES: Readonly<Record<NonNullable<Charge['changed']>[number], string>> = {
  text: 'the text',
  facts: 'the facts',
  timestamp: 'the time',
  user_id: 'the member',
  team_id: 'the team',
  report: 'the report',
  report_name: 'the report’s name',
  price: 'the price',
  rate_card: 'the rate card',
  content: 'the text',
}

const whySuperseded = ({ changed = [] }: Charge): string => {
  const names = changed.map((change) => CHANGES[change])
  const what = names.length === 0 ? 'the message' : listName(names)
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
