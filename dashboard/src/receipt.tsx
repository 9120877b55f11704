import { useQueryClient } from '@tanstack/react-query'
import { ApiError, type Charge, ConnectionError } from 'copilot-credits-client'
import { type KeyboardEvent, type ReactNode, useEffect, useMemo } from 'react'
import { conditionsText, nounOf } from './card-sentences.ts'
import { useCard } from './cards.ts'
import { ChargeLines } from './charge-lines.tsx'
import { useCopying } from './copying.tsx'
import { chargesQuery, useCharges } from './data.ts'
import { failureText } from './failure-text.ts'
import { NO_FILTERS } from './filters.tsx'
import { count, credits, dateTime, quantity, spanName, toMicros } from './format.ts'
import { Panel } from './panel.tsx'
import { addressOf, changeView, type View } from './view.ts'
import { ViewLink } from './view-link.tsx'
import './receipt.css'

type MessageId = number | string

type Props = {
  readonly view: View
  readonly id: MessageId
  /** The organization's, by which periods go. */
  readonly timeZone: string
  /** The list in which ↑ and ↓ move, as it is shown. */
  readonly messages: readonly { readonly id: MessageId }[]
  /** Beside the list, which stays in reach. */
  readonly isBeside: boolean
}

/** What a message was charged, line by line, and what became of earlier charges. */
export const Receipt = ({ view, id, timeZone, messages, isBeside }: Props) => {
  const { organization, zone = timeZone } = view
  const { data, error, isPending, refetch } = useCharges(id, organization)
  const place = useMemo(() => messages.findIndex((each) => each.id === id), [messages, id])
  const [before, after] = place < 0 ? [] : [messages[place - 1]?.id, messages[place + 1]?.id]
  usePrefetched([before, after], organization, data !== undefined)
  const open = (message: MessageId | undefined): void => {
    if (message !== undefined) changeView({ message }, 'typing')
  }
  const press = (event: KeyboardEvent): void => {
    if (event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return
    if (event.key !== 'ArrowUp' && event.key !== 'ArrowDown') return
    event.preventDefault()
    // What has the focus may belong to this message.
    if (event.currentTarget instanceof HTMLElement) event.currentTarget.focus({ preventScroll: true })
    open(event.key === 'ArrowUp' ? before : after)
  }
  return (
    <Panel
      title={`Message ${id}`}
      close={() => changeView({ message: undefined })}
      controls={place >= 0 && <Moves before={before} after={after} open={open} />}
      isBeside={isBeside}
      onKeyDown={press}
    >
      <div key={`${typeof id} ${id}`} className="receipt" aria-busy={isPending}>
        <Copying id={id} address={addressOfMessage(view, id)} place={place} of={messages.length} />
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
        {data?.charges[0] !== undefined && (
          <ChargeDetails charge={data.charges[0]} {...{ organization, zone, timeZone }} />
        )}
        {data !== undefined && <History charges={data.charges} organization={organization} zone={zone} />}
      </div>
    </Panel>
  )
}

/** Other errors are final: there is no such message, or the service or the client rejected the request itself. */
const isRetryable = (error: Error): boolean =>
  error instanceof ConnectionError || (error instanceof ApiError && error.status >= 429)

/** The neighbors are fetched as soon as a charge is shown, so that moving to them does not wait. */
const usePrefetched = (
  [before, after]: readonly (MessageId | undefined)[],
  organization: string | undefined,
  isReady: boolean,
): void => {
  const queries = useQueryClient()
  useEffect(() => {
    if (!isReady) return
    for (const id of [after, before]) if (id !== undefined) queries.prefetchQuery(chargesQuery(id, organization))
  }, [queries, before, after, organization, isReady])
}

type MovesProps = {
  readonly before: MessageId | undefined
  readonly after: MessageId | undefined
  readonly open: (id: MessageId | undefined) => void
}

/** `aria-disabled`, because a button that becomes `disabled` loses the focus. */
const Moves = ({ before, after, open }: MovesProps) => (
  <>
    <button
      type="button"
      className="quiet"
      aria-label="Previous message"
      title="Previous message (↑)"
      aria-disabled={before === undefined}
      onClick={() => open(before)}
    >
      ↑
    </button>
    <button
      type="button"
      className="quiet"
      aria-label="Next message"
      title="Next message (↓)"
      aria-disabled={after === undefined}
      onClick={() => open(after)}
    >
      ↓
    </button>
  </>
)

/** Of the message alone, which is found in any period. */
const addressOfMessage = (view: View, message: MessageId): string =>
  addressOf({ ...view, ...NO_FILTERS, area: 'messages', period: 'current', range: undefined, sort: [], message })

type CopyingProps = {
  readonly id: MessageId
  readonly address: string
  readonly place: number
  readonly of: number
}

const Copying = ({ id, address, place, of }: CopyingProps) => {
  const { outcome, copy } = useCopying()
  return (
    <p className="copying">
      <button type="button" className="quiet" title={String(id)} onClick={() => copy(String(id), 'ID copied.')}>
        Copy ID
      </button>
      <button
        type="button"
        className="quiet"
        onClick={() => copy(new URL(address, location.href).href, 'Link copied.')}
      >
        Copy link to message
      </button>
      <span role="status" className="note">
        {outcome || (place >= 0 && `${count(place + 1)} of ${count(of)}`)}
      </span>
    </p>
  )
}

type DetailsProps = {
  readonly charge: Charge
  readonly organization: string | undefined
  /** In which times are shown. */
  readonly zone: string
  readonly timeZone: string
}

const ChargeDetails = ({ charge, organization, zone, timeZone }: DetailsProps) => (
  <section aria-label="Charge">
    {charge.credits === undefined ? (
      <>
        <p className="big">No price</p>
        <Unpriced charge={charge} />
      </>
    ) : (
      <p className="big">
        {credits(toMicros(charge.credits))} <span>credits</span>
      </p>
    )}
    <Adjustment charge={charge} timeZone={timeZone} />
    <dl>
      <dt>Sent</dt>
      <dd>
        {dateTime(Date.parse(charge.timestamp), zone)} <span className="note">{zone}</span>
        <span className="note line">as sent: {charge.timestamp}</span>
      </dd>
      <Entry name="Report">{reportOf(charge)}</Entry>
      <Entry name="Member">{charge.user_id}</Entry>
      <Entry name="Team">{charge.team_id}</Entry>
      <Entry name="Model">{modelOf(charge)}</Entry>
      <Entry name="Feature">{featureOf(charge)}</Entry>
      <Entry name="Outcome">{charge.outcome}</Entry>
      <PricedBy charge={charge} organization={organization} />
    </dl>
    <Lines charge={charge} organization={organization} />
    {charge.unused !== undefined && (
      <p className="note">
        No line of the rate card uses {listName(charge.unused.map(nounOf))}, so{' '}
        {charge.unused.length === 1 ? 'it' : 'they'} did not change the price.
      </p>
    )}
    <Facts charge={charge} />
  </section>
)

/** Why there is no price, and what to do about it. */
const Unpriced = ({ charge: { unpriced } }: { readonly charge: Charge }) => (
  <p className="notice bad">
    <span>
      Not charged: {unpriced}. Put a rate card in force that prices this message.{' '}
      <ViewLink change={{ area: 'rate-cards', message: undefined }}>See the rate cards</ViewLink>
    </span>
  </p>
)

/** Of a message that a closed period has charged, only the difference is charged. */
const Adjustment = ({ charge, timeZone }: Pick<DetailsProps, 'charge' | 'timeZone'>) => {
  const { credits: charged, credits_now: now, unpriced_by: unpricedBy, period } = charge
  const span = spanName(Date.parse(period.start), Date.parse(period.end), timeZone)
  return (
    <>
      {charged !== undefined && now !== undefined && (
        <p className="notice">
          <span>
            Adjustment: the message costs {credits(toMicros(now))} credits now.{' '}
            {credits(toMicros(now) - toMicros(charged))} stay charged in a closed period, which never changes, so the
            difference is charged in the period {span}.
          </span>
        </p>
      )}
      {unpricedBy !== undefined && (
        <p className="notice">
          <span>
            Priced by a card for messages without a price, because {unpricedBy.rate_card} has none: {unpricedBy.reason}.
          </span>
        </p>
      )}
    </>
  )
}

type ChargeProps = { readonly charge: Charge; readonly organization: string | undefined }

const PricedBy = ({ charge, organization }: ChargeProps) => {
  const { data } = useCard(charge.rate_card, organization)
  const own = data?.card.cases.find(({ name }) => name === charge.case)
  return (
    <>
      <dt>Rate card</dt>
      <dd>
        <ViewLink change={{ area: 'rate-cards', card: charge.rate_card, message: undefined }}>
          {charge.rate_card}
        </ViewLink>
        {charge.case !== undefined && <span className="note">, case {charge.case}</span>}
        {own !== undefined && (
          <span className="note line">
            {own.when === undefined
              ? 'This case takes every message that no case before it takes.'
              : `This case applies because ${conditionsText(own.when, 'the message')}.`}
          </span>
        )}
      </dd>
    </>
  )
}

const Lines = ({ charge, organization }: ChargeProps) => {
  const { data } = useCard(charge.rate_card, organization)
  if (charge.credits === undefined) return undefined
  return (
    <ChargeLines
      lines={charge.lines.map((line) => ({ ...line, rate: toMicros(line.rate), credits: toMicros(line.credits) }))}
      total={toMicros(charge.credits)}
      rateCard={charge.rate_card}
      caseName={charge.case}
      outcome={charge.outcome}
      card={data?.card}
    />
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

const featureOf = ({ facts }: Charge): string | undefined => {
  const feature = facts?.attributes?.['feature']
  return feature === undefined ? undefined : valueName(feature)
}

const valueName = (value: string | boolean): string => (typeof value === 'boolean' ? (value ? 'yes' : 'no') : value)

/** What is kept of the message, from which it was priced. */
const Facts = ({ charge: { facts, measurement, state } }: { readonly charge: Charge }) => {
  if (facts === undefined && measurement === undefined) return undefined
  const { usage = {}, quantities = {}, attributes = {} } = facts ?? {}
  return (
    // Of several with one name, none would be found by it.
    <section aria-label={state === 'superseded' ? undefined : 'Facts'} className="facts">
      <h3>Facts</h3>
      <dl>
        {measurement !== undefined && (
          <>
            <Entry name="text">{`${count(measurement.code_points)} characters; the text itself is not kept`}</Entry>
            <Entry name="words">{count(measurement.word_lengths.reduce((sum, words) => sum + words, 0))}</Entry>
            <Entry name="third vowels">{count(measurement.third_vowels)}</Entry>
            <Entry name="uses no word twice">{measurement.words_differ ? 'yes' : 'no'}</Entry>
            <Entry name="palindrome">{measurement.palindrome ? 'yes' : 'no'}</Entry>
          </>
        )}
        {Object.entries({ ...usage, ...quantities }).map(([name, amount]) => (
          <Entry key={name} name={nounOf(name)}>
            {quantity(amount)}
          </Entry>
        ))}
        {Object.entries(attributes).map(([name, value]) => (
          <Entry key={name} name={nounOf(name)}>
            {valueName(value)}
          </Entry>
        ))}
      </dl>
    </section>
  )
}

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

type HistoryProps = Omit<DetailsProps, 'charge' | 'timeZone'> & { readonly charges: readonly Charge[] }

/** Earlier charges, the latest first. */
const History = ({ charges, organization, zone }: HistoryProps) => {
  const [current, ...earlier] = charges
  if (current === undefined || earlier.length === 0) return undefined
  return (
    <section aria-label="History" className="history">
      <h3>History</h3>
      <ol>
        <li>
          <p>
            <strong>{amountName(current)}</strong> since {dateTime(Date.parse(current.recorded), zone)}
          </p>
        </li>
        {earlier.map((charge) => (
          <li key={charge.revision}>
            <p>
              <s>{amountName(charge)}</s> recorded {dateTime(Date.parse(charge.recorded), zone)}
            </p>
            <p className="note">{whySuperseded(charge)}</p>
            <details>
              <summary>How it came about</summary>
              {charge.credits === undefined && <p>Not charged: {charge.unpriced}.</p>}
              <Lines charge={charge} organization={organization} />
              <p className="note">By the rate card {charge.rate_card}.</p>
              <Facts charge={charge} />
            </details>
          </li>
        ))}
      </ol>
    </section>
  )
}

const amountName = ({ credits: charged }: Charge): string =>
  charged === undefined ? 'No price' : `${credits(toMicros(charged))} credits`
