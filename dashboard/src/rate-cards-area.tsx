import type { RateCardEntry } from 'copilot-credits-client'
import { lazy, Suspense, useState } from 'react'
import { inForceAt, stretchesOf, stretchName, type Use } from './card-uses.ts'
import { type Overview, useRateCards } from './data.ts'
import { failureText } from './failure-text.ts'
import { dateTime } from './format.ts'
import type { View } from './view.ts'
import { ViewLink } from './view-link.tsx'
import './rate-cards.css'

/** Loaded only when opened, because they include the check of rate cards. */
const CardReading = lazy(async () => ({ default: (await import('./card-reading.tsx')).CardReading }))
const WhatIf = lazy(async () => ({ default: (await import('./what-if.tsx')).WhatIf }))

type Props = { readonly view: View; readonly overview: Overview }

/** The rate cards that the service knows, when this organization uses which, what each says, and what it would do. */
export const RateCardsArea = ({ view, overview }: Props) => {
  const { session } = overview
  const { data, error, isPending, refetch } = useRateCards(session)
  const now = Date.parse(session.time)
  const timeZone = session.organization.time_zone
  const [tried, setTried] = useState<string>()
  const version = view.card ?? (data && inForceAt(data.uses, now))
  return (
    <>
      <section className="card rate-cards" aria-labelledby="rate-cards-title" aria-busy={isPending}>
        <header className="card-head">
          <h2 id="rate-cards-title">All rate cards</h2>
        </header>
        {isPending && <p role="status">Loading rate cards…</p>}
        {error !== null && (
          <p role="alert" className="notice bad">
            <span>
              <strong>Could not load the rate cards.</strong> {failureText(error)}
            </span>
            <button type="button" onClick={() => refetch()}>
              Try again
            </button>
          </p>
        )}
        {data !== undefined && (
          <ul className="cards">
            {data.cards.map((card) => (
              <Card
                key={card.version}
                card={card}
                uses={data.uses}
                now={now}
                timeZone={timeZone}
                isRead={card.version === version}
              />
            ))}
          </ul>
        )}
      </section>
      {data !== undefined && (
        <Suspense>
          {version !== undefined && (
            <CardReading
              version={version}
              organization={session.organization.id}
              uses={data.uses}
              now={now}
              timeZone={timeZone}
              simulate={
                session.operator
                  ? () => {
                      setTried(version)
                      document.getElementById('what-if-title')?.focus()
                    }
                  : undefined
              }
            />
          )}
          <WhatIf overview={overview} cards={data.cards} uses={data.uses} tried={tried} setTried={setTried} />
        </Suspense>
      )}
    </>
  )
}

type CardProps = {
  readonly card: RateCardEntry
  readonly uses: readonly Use[]
  readonly now: number
  readonly timeZone: string
  readonly isRead: boolean
}

const Card = ({ card, uses, now, timeZone, isRead }: CardProps) => {
  const { version, built_in: builtIn, created_at: created } = card
  const stretches = stretchesOf(uses).filter((stretch) => stretch.version === version)
  const isInForce = inForceAt(uses, now) === version
  return (
    <li>
      <ViewLink change={{ card: version }} isCurrent={isRead}>
        {version}
      </ViewLink>
      {stretches.map((stretch) => {
        const name = stretchName(stretch, now, timeZone)
        return (
          <span key={name} className={isInForce && name.startsWith('In force') ? 'tag in-force' : 'tag'}>
            {name}
          </span>
        )
      })}
      <span className="note">
        {builtIn !== undefined && `${builtIn.title}, as of ${builtIn.as_of}`}
        {created !== undefined && `Stored ${dateTime(Date.parse(created), timeZone)}`}
      </span>
    </li>
  )
}
