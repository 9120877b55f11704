import { ApiError, type RateCard, type RateCardEntry, type Simulation } from 'copilot-credits-client'
import { type FormEvent, useEffect, useRef, useState } from 'react'
import { Applying } from './applying.tsx'
import type { Use } from './card-uses.ts'
import { slowClient } from './cards.ts'
import type { Overview } from './data.ts'
import { failureText } from './failure-text.ts'
import { Field } from './field.tsx'
import { count, messagesName, spanName } from './format.ts'
import { SimulationResult } from './simulation-result.tsx'
import './rate-cards.css'

type Props = {
  readonly overview: Overview
  readonly cards: readonly RateCardEntry[]
  readonly uses: readonly Use[]
  /** Version of the card to try; undefined if it is pasted. */
  readonly tried: string | undefined
  readonly setTried: (version: string | undefined) => void
}

/** What another rate card would do to the period that is shown, and how to make it so. */
export const WhatIf = (props: Props) => {
  const { session, from, to, timeZone } = props.overview
  return (
    <section className="card what-if" aria-labelledby="what-if-title">
      <header className="card-head">
        <h2 id="what-if-title" tabIndex={-1}>
          What would another rate card do?
        </h2>
      </header>
      <p>
        Prices the messages of {spanName(from, to, timeZone)} again by another card, and compares. Nothing is written.
      </p>
      {session.operator ? (
        // Nothing that was shown still holds for another organization or period.
        <Trial key={`${session.organization.id} ${from} ${to}`} {...props} />
      ) : (
        <p className="notice">
          <span>
            This needs an operator key. Ask your operator, who can also run{' '}
            <code>npx copilot-credits simulate --card card.json</code>.
          </span>
        </p>
      )}
    </section>
  )
}

/** The value of the choice that is no version. */
const PASTED = ''

/** A card is its version or its content, which the service checks. */
type Request = { readonly rate_card: string | RateCard; readonly from: string; readonly to: string }

const Trial = ({ overview, cards, uses, tried, setTried }: Props) => {
  const { session, from, to } = overview
  const organization = session.organization.id
  const [text, setText] = useState('')
  const [problem, setProblem] = useState<string>()
  const { run, cancel, isRunning, failure, result, forget } = useSimulation(organization)
  const simulate = (event: FormEvent): void => {
    event.preventDefault()
    if (isRunning) return
    const card = tried === undefined ? readPasted(text) : { value: tried }
    setProblem(card.problem)
    if (card.problem !== undefined) return
    const range = { from: new Date(from).toJSON(), to: new Date(to).toJSON() }
    run({ rate_card: card.value as Request['rate_card'], ...range })
  }
  return (
    <>
      <form onSubmit={simulate}>
        <Field name="Rate card" isInline>
          {(input) => (
            <select
              {...input}
              value={tried ?? PASTED}
              onChange={({ target }) => {
                setTried(target.value === PASTED ? undefined : target.value)
                setProblem(undefined)
                forget()
              }}
            >
              <option value={PASTED}>A card that you paste</option>
              {cards.map((card) => (
                <option key={card.version} value={card.version}>
                  {card.version}
                </option>
              ))}
            </select>
          )}
        </Field>
        {tried === undefined && (
          <Field name="The card, as JSON" problem={problem}>
            {(input) => (
              <textarea
                {...input}
                rows={8}
                spellCheck={false}
                className="code"
                placeholder='{ "version": "my-card", "cases": [ … ] }'
                value={text}
                onChange={({ target }) => setText(target.value)}
              />
            )}
          </Field>
        )}
        <p className="copy">
          <button type="submit" className="primary" aria-disabled={isRunning}>
            Simulate
          </button>
          {isRunning && <Running messages={overview.messages} cancel={cancel} />}
        </p>
      </form>
      {failure !== undefined && <Failed error={failure} />}
      {result !== undefined && (
        <>
          <SimulationResult simulation={result.simulation} timeZone={overview.timeZone} />
          <Applying
            key={result.simulation.hash}
            {...result}
            organization={session.organization}
            cards={cards}
            uses={uses}
            timeZone={overview.timeZone}
          />
        </>
      )}
    </>
  )
}

type Read =
  | { readonly value: unknown; readonly problem?: undefined }
  | { readonly problem: string; readonly value?: undefined }

const readPasted = (text: string): Read => {
  if (text.trim() === '') return { problem: 'Paste a rate card, or choose one.' }
  try {
    return { value: JSON.parse(text) }
  } catch (error) {
    return { problem: `This is not JSON: ${error instanceof Error ? error.message : error}.` }
  }
}

type Result = { readonly request: Request; readonly simulation: Simulation }

/** One at a time; leaving the page ends it. */
const useSimulation = (organization: string) => {
  const running = useRef<AbortController>(undefined)
  const [isRunning, setIsRunning] = useState(false)
  const [failure, setFailure] = useState<Error>()
  const [result, setResult] = useState<Result>()
  useEffect(() => () => running.current?.abort(), [])
  const forget = (): void => {
    setFailure(undefined)
    setResult(undefined)
  }
  const run = async (request: Request): Promise<void> => {
    const controller = new AbortController()
    running.current = controller
    forget()
    setIsRunning(true)
    try {
      const simulation = await slowClient.simulate(request, { organization }, { signal: controller.signal })
      setResult({ request, simulation })
    } catch (error) {
      if (!controller.signal.aborted) setFailure(error instanceof Error ? error : new Error(String(error)))
    } finally {
      setIsRunning(false)
    }
  }
  return { run, cancel: () => running.current?.abort(), isRunning, failure, result, forget }
}

const Running = ({ messages, cancel }: { readonly messages: number; readonly cancel: () => void }) => {
  const [seconds, setSeconds] = useState(0)
  useEffect(() => {
    const timer = setInterval(() => setSeconds((before) => before + 1), 1000)
    return () => clearInterval(timer)
  }, [])
  return (
    <>
      <span role="status">Pricing {messagesName(messages)} again…</span>
      <progress aria-label="Simulation" />
      <span className="note">{count(seconds)} s</span>
      <button type="button" onClick={cancel}>
        Cancel
      </button>
    </>
  )
}

/** A card that is not valid has every fault named, each by its field. */
const Failed = ({ error }: { readonly error: Error }) => {
  const faults = error instanceof ApiError && error.status === 400 ? (error.problem.errors ?? []) : []
  if (faults.length === 0) {
    return (
      <p role="alert" className="notice bad">
        <span>
          <strong>Could not simulate this card.</strong> {failureText(error)}
        </span>
      </p>
    )
  }
  return (
    <div role="alert" className="notice bad">
      <div>
        <strong>The card is not valid.</strong>
        <ul className="faults">
          {faults.map(({ field, expected }) => (
            <li key={`${field} ${expected}`}>
              <code>{field.replace(/^rate_card(\.|$)/, '') || 'the card'}</code> must be {expected}.
            </li>
          ))}
        </ul>
      </div>
    </div>
  )
}
