import type { CardsInForce, RateCardEntry, Session } from 'copilot-credits-client'
import { useRateCards } from './data.ts'
import { failureText } from './failure-text.ts'
import { dateTime } from './format.ts'

type Use = CardsInForce['in_force'][number]

/** The rate cards that the service knows, and when this organization uses which. */
export const RateCardsArea = ({ session }: { readonly session: Session }) => {
  const { data, error, isPending, refetch } = useRateCards(session)
  const now = Date.parse(session.time)
  const timeZone = session.organization.time_zone
  return (
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
            <Card key={card.version} card={card} uses={data.uses} now={now} timeZone={timeZone} />
          ))}
        </ul>
      )}
    </section>
  )
}

type CardProps = {
  readonly card: RateCardEntry
  readonly uses: readonly Use[]
  readonly now: number
  readonly timeZone: string
}

const Card = ({ card: { version, built_in: builtIn, created_at: created }, uses, now, timeZone }: CardProps) => {
  const inForce = inForceAt(uses, now)
  const own = uses.filter((use) => use.version === version)
  return (
    <li>
      <strong>{version}</strong>
      {own.map((use) => (
        <span key={`${use.from} ${use.for}`} className={use === inForce ? 'tag in-force' : 'tag'}>
          {nameOf(use, use === inForce, timeZone)}
        </span>
      ))}
      <span className="note">
        {builtIn !== undefined && `${builtIn.title}, as of ${builtIn.as_of}`}
        {created !== undefined && `Stored ${dateTime(Date.parse(created), timeZone)}`}
      </span>
    </li>
  )
}

/** The card that prices a message sent now: the last one to have begun. */
const inForceAt = (uses: readonly Use[], now: number): Use | undefined =>
  uses.findLast((use) => use.for === undefined && (use.from === undefined || Date.parse(use.from) <= now))

const nameOf = (use: Use, isInForce: boolean, timeZone: string): string => {
  const since = use.from === undefined ? '' : ` from ${dateTime(Date.parse(use.from), timeZone)}`
  if (use.for !== undefined) return `For messages without another price${since}`
  return `${isInForce ? 'In force' : 'Used'}${since}`
}
