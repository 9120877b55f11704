import { useQueryClient } from '@tanstack/react-query'
import type { ChargedAnew, RateCard, RateCardEntry, Session, Simulation } from 'copilot-credits-client'
import { useEffect, useRef, useState } from 'react'
import { isInForceFor, type Use } from './card-uses.ts'
import { slowClient } from './cards.ts'
import { failureText } from './failure-text.ts'
import { count, credits, messagesName, spanName, toMicros } from './format.ts'
import { changeName } from './simulated.ts'

type Props = {
  readonly simulation: Simulation
  readonly request: { readonly rate_card: string | RateCard; readonly from: string; readonly to: string }
  readonly organization: Session['organization']
  readonly cards: readonly RateCardEntry[]
  readonly uses: readonly Use[]
  readonly timeZone: string
}

/** How to charge what a simulation has shown: here if the card is in force for all of it, otherwise by these steps. */
export const Applying = (props: Props) => {
  const { simulation, cards, uses } = props
  const { rate_card: card, from, to, charged_otherwise: otherwise } = simulation
  const isStored = cards.some(({ version, hash }) => version === card.version && hash === card.hash)
  const isInForce = isStored && isInForceFor(uses, card.version, Date.parse(from), Date.parse(to))
  return (
    <section aria-labelledby="applying-title">
      <h3 id="applying-title">To charge this</h3>
      {otherwise === 0 ? (
        <p>There is nothing to charge anew: no other card has charged any of these messages.</p>
      ) : isInForce ? (
        <Apply {...props} />
      ) : (
        <Steps {...props} isStored={isStored} />
      )}
    </section>
  )
}

/** Only the operator's own files and choice of an instant can do these. */
const Steps = ({ simulation, organization, isStored }: Props & { readonly isStored: boolean }) => {
  const { rate_card: card, from, to } = simulation
  const own = organization.id === 'default' ? '' : ` --organization ${organization.id}`
  return (
    <>
      <p>
        Messages that are charged stay as they are until a simulation is applied, for which the card must be in force
        for all of the period, and the period open:
      </p>
      <ol className="steps">
        {!isStored && (
          <li>
            Store the card: <code>npx copilot-credits cards put card.json</code>
          </li>
        )}
        <li>
          Put it in force: <code>{`npx copilot-credits cards use ${card.version} --from ${from}${own}`}</code>
        </li>
        <li>
          Simulate it here again, and apply it. Or in one command:{' '}
          <code>{`npx copilot-credits simulate --card ${card.version} --from ${from} --to ${to}${own} --apply`}</code>
        </li>
      </ol>
    </>
  )
}

const Apply = ({ simulation, request, organization, timeZone }: Props) => {
  const queries = useQueryClient()
  const [state, setState] = useState<'ready' | 'asking' | 'running'>('ready')
  const [failure, setFailure] = useState<unknown>()
  const [done, setDone] = useState<ChargedAnew>()
  const question = useRef<HTMLDivElement>(null)
  useEffect(() => {
    if (state === 'asking') question.current?.focus()
  }, [state])
  const { charged_otherwise: otherwise, unpriced_after: unpriced = 0, rate_card: card } = simulation
  const [before, after] = [toMicros(simulation.credits_before), toMicros(simulation.credits_after)]
  const span = spanName(Date.parse(simulation.from), Date.parse(simulation.to), timeZone)
  const apply = async (): Promise<void> => {
    setState('running')
    setFailure(undefined)
    try {
      setDone(await slowClient.applySimulation(simulation.hash, request, { organization: organization.id }))
      queries.invalidateQueries()
    } catch (error) {
      setFailure(error)
    } finally {
      setState('ready')
    }
  }
  if (done !== undefined) return <Done charged={done} />
  return (
    <>
      {failure !== undefined && (
        <p role="alert" className="notice bad">
          <span>
            <strong>Could not charge all of it anew.</strong> {failureText(failure)}
          </span>
        </p>
      )}
      {state === 'ready' && (
        <>
          <p>The card is in force for all of {span}, so what the simulation shows can be charged.</p>
          <p>
            <button type="button" onClick={() => setState('asking')}>
              Apply…
            </button>
          </p>
        </>
      )}
      {state === 'asking' && (
        // biome-ignore lint/a11y/useSemanticElements: a fieldset is for inputs
        <div ref={question} role="group" tabIndex={-1} aria-labelledby="apply-question" className="notice">
          <p id="apply-question">
            Charge {messagesName(otherwise)} of {organization.name} anew by {card.version}? {span} then costs{' '}
            <strong>{credits(after)}</strong> instead of <strong>{credits(before)}</strong> credits (
            {changeName(before, after)}).
            {unpriced > 0 && ` ${messagesName(unpriced)} will have no price and not be charged.`} The charges of now
            stay in the history of each message. The only way back is to put the other card in force again and apply
            that.
          </p>
          <button type="button" className="primary" onClick={apply}>
            Charge {messagesName(otherwise)} anew
          </button>
          <button type="button" onClick={() => setState('ready')}>
            Cancel
          </button>
        </div>
      )}
      {state === 'running' && (
        <p role="status">
          Charging {messagesName(otherwise)} anew… If this page is closed, what was charged stays; apply again for the
          rest.
        </p>
      )}
    </>
  )
}

const Done = ({ charged }: { readonly charged: ChargedAnew }) => (
  <p role="status" className="notice">
    <span>
      <strong>{messagesName(charged.messages)} charged anew.</strong> They cost{' '}
      {credits(toMicros(charged.credits_before))} credits before and {credits(toMicros(charged.credits_after))} now.
      {charged.changed_meanwhile > 0 &&
        ` ${count(charged.changed_meanwhile)} changed meanwhile and stay as they are: simulate again.`}
    </span>
  </p>
)
