import { useQueryClient } from '@tanstack/react-query'
import type { Session } from 'copilot-credits-client'
import { useEffect, useState } from 'react'
import { CopyButton } from './copy-button.tsx'
import { client } from './data.ts'
import { failureText } from './failure-text.ts'
import { credits, dateTime, toMicros } from './format.ts'
import { NewKey } from './new-key.tsx'
import { NothingCharged } from './nothing-charged.tsx'
import { useArrivals } from './operator-data.ts'
import './operator.css'
import { curlSnippet, javaScriptSnippet, type SnippetNeeds } from './snippets.ts'
import { litellmSnippet, openTelemetrySnippet } from './telemetry-snippets.ts'
import { ViewLink } from './view-link.tsx'

type Props = { readonly session: Session; readonly organization: string | undefined }

/** How to report the first message, with the address of this service, and whether it has arrived. */
export const DevelopersArea = ({ session, organization }: Props) => {
  const [secret, setSecret] = useState<string>()
  const [now] = useState(() => new Date().toJSON())
  const needs: SnippetNeeds = {
    address: location.origin,
    organization: session.organization.id,
    needsKey: session.signed_in_by !== 'nobody',
    key: secret,
    now,
  }
  return (
    <>
      <Arrival session={session} organization={organization} />
      <section className="card howtos" aria-labelledby="first-message">
        <h2 id="first-message">Report a message</h2>
        {needs.needsKey && <KeyStep session={session} secret={secret} setSecret={setSecret} />}
        <Snippet title="From the command line" text={curlSnippet(needs)} />
        <Snippet title="From JavaScript or TypeScript" text={javaScriptSnippet(needs)}>
          The client is built from the service’s own repository: run <code>npm pack --workspace client</code> there, and{' '}
          <code>npm install</code> the archive that it writes.
        </Snippet>
        <Snippet title="From whatever sends OpenTelemetry" text={openTelemetrySnippet(needs)}>
          GitHub Copilot, the AI SDK, Traceloop, OpenInference, Claude Code and others: the repository says in{' '}
          <code>docs/opentelemetry.md</code> how to set each of them up.
        </Snippet>
        <Snippet title="From a LiteLLM proxy" text={litellmSnippet(needs)}>
          In its <code>config.yaml</code>. Report each call through one door: one that comes by two is charged twice.
        </Snippet>
        <p className="hint">
          A message is charged once, however often it is sent. Send yours with an id, a text and the time at which it
          was written; a <code>user_id</code> says who wrote it.
        </p>
      </section>
      <section className="card howtos" aria-labelledby="more-api">
        <h2 id="more-api">The rest of the API</h2>
        <ul className="links">
          <li>
            <a href="/docs">API reference</a>: every request, to read and to try
          </li>
          <li>
            <a href="/openapi.json">openapi.json</a>: the same for programs
          </li>
        </ul>
      </section>
    </>
  )
}

/** Waits for the first message, and says so once it is there. */
const Arrival = ({ session, organization }: Props) => {
  const { data, error } = useArrivals(organization)
  const queries = useQueryClient()
  const isSample = (data?.source ?? session.source) === 'bundled-sample'
  const { latest } = data ?? {}
  // The other areas still show what there was before.
  const id = latest?.message_id
  useEffect(() => {
    if (id !== undefined) for (const key of ['overview', 'session']) queries.invalidateQueries({ queryKey: [key] })
  }, [id, queries])
  if (error !== null && data === undefined) {
    return (
      <p role="alert" className="notice bad">
        <span>
          <strong>Could not ask for messages.</strong> {failureText(error)}
        </span>
      </p>
    )
  }
  return (
    <div role="status" className={latest === undefined ? 'arrival' : 'arrival arrived'} aria-busy={data === undefined}>
      {data === undefined ? (
        <p key="asking">Asking whether messages have arrived…</p>
      ) : latest === undefined ? (
        <p key="waiting">
          <strong>Waiting for the first message of {nameOf(session, isSample)}.</strong> It shows here within five
          seconds.
          {isSample && ' Until then, the other pages show a sample.'}
          <NothingCharged organization={organization} />
        </p>
      ) : (
        <p key="arriving">
          <strong>Messages are arriving.</strong> The latest is{' '}
          <ViewLink change={{ area: 'messages', message: latest.message_id }}>{String(latest.message_id)}</ViewLink>,
          sent {dateTime(Date.parse(latest.timestamp), session.organization.time_zone)}
          {latest.credits_used === undefined
            ? '. It has no price yet.'
            : ` for ${credits(toMicros(latest.credits_used))} credits.`}
        </p>
      )}
    </div>
  )
}

const nameOf = ({ organization: { id, name } }: Session, isSample: boolean): string => (isSample ? id : name)

type KeyStepProps = {
  readonly session: Session
  readonly secret: string | undefined
  readonly setSecret: (secret: string | undefined) => void
}

/** A key on the spot, for those who may create one. It lives in this page until it is left. */
const KeyStep = ({ session: { scopes, organization }, secret, setSecret }: KeyStepProps) => {
  const [failure, setFailure] = useState<string>()
  const [isKept, setIsKept] = useState(false)
  if (!scopes.includes('admin')) {
    return (
      <p className="hint">
        Reporting needs a key with the scope <code>messages:write</code>
        {scopes.includes('messages:write') ? ', as yours has.' : ': ask your administrator for one.'}
      </p>
    )
  }
  const create = async (): Promise<void> => {
    setFailure(undefined)
    try {
      const wanted = { name: 'first messages', scopes: ['messages:write' as const] }
      const { key } = await client.createKey(wanted, { organization: organization.id })
      setSecret(key)
    } catch (error) {
      setFailure(failureText(error))
    }
  }
  return (
    <div className="howto">
      {secret === undefined && (
        <p>
          <button type="button" className="primary" onClick={create}>
            Create a key for {organization.name}
          </button>{' '}
          <span className="hint">
            with the scope <code>messages:write</code>, to be put into the lines below
          </span>
        </p>
      )}
      {secret !== undefined && !isKept && <NewKey secret={secret} close={() => setIsKept(true)} />}
      {failure !== undefined && (
        <p role="alert" className="notice bad">
          {failure}
        </p>
      )}
    </div>
  )
}

type SnippetProps = { readonly title: string; readonly text: string; readonly children?: React.ReactNode }

const Snippet = ({ title, text, children }: SnippetProps) => (
  <div className="howto">
    <header className="snippet-head">
      <h3>{title}</h3>
      <CopyButton text={text} name={title.toLowerCase()} />
    </header>
    {children !== undefined && <p className="hint">{children}</p>}
    <pre className="snippet">
      <code>{text}</code>
    </pre>
  </div>
)
