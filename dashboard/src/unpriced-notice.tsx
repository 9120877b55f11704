import type { Session } from 'copilot-credits-client'
import { type Overview, useUnpriced } from './data.ts'
import { NO_FILTERS } from './filters.tsx'
import { count, messagesName } from './format.ts'
import { type Reason, reasonsOf } from './unpriced.ts'
import { changeView, type View } from './view.ts'
import { ViewLink } from './view-link.tsx'

const REASONS_SHOWN = 3

/** What is not in the sums, why, and who can do what about it. */
export const UnpricedNotice = ({ view, overview }: { readonly view: View; readonly overview: Overview }) => {
  const { unpriced } = overview
  const { lines, isAll } = useUnpriced(overview)
  const reasons = reasonsOf(lines ?? [])
  const isOne = unpriced === 1
  return (
    <div className="notice bad">
      <div>
        <strong>
          {messagesName(unpriced)} {isOne ? 'has' : 'have'} no price.
        </strong>{' '}
        {isOne ? 'It is' : 'They are'} not charged, and not part of any sum here.{' '}
        <Advice reasons={reasons} session={overview.session} isOne={isOne} />
        {reasons.length > 0 && (
          <ul className="reasons" aria-label={isAll ? 'Reasons' : `Reasons of the latest ${count(lines?.length ?? 0)}`}>
            {reasons.slice(0, REASONS_SHOWN).map(({ text, messages }) => (
              <li key={text}>
                {messagesName(messages)}: {text}
              </li>
            ))}
            {reasons.length > REASONS_SHOWN && <li>{count(reasons.length - REASONS_SHOWN)} more reasons</li>}
          </ul>
        )}
      </div>
      {!(view.unpriced && view.area === 'messages') && (
        <button type="button" onClick={() => changeView({ ...NO_FILTERS, area: 'messages', unpriced: true })}>
          Show {isOne ? 'it' : 'them'}
        </button>
      )}
    </div>
  )
}

type AdviceProps = { readonly reasons: readonly Reason[]; readonly session: Session; readonly isOne: boolean }

/** Whoever cannot put a card in force can only ask. */
const Advice = ({ reasons, session, isOne }: AdviceProps) => {
  const [first] = reasons
  const them = isOne ? 'it' : 'them'
  const what =
    first?.model === undefined ? (
      <>a rate card that prices {them}</>
    ) : (
      <>
        a rate card with a price for the model <code>{first.model}</code>
      </>
    )
  if (!session.operator) return <>Ask your operator to put {what} in force.</>
  return (
    <>
      Put {what} in force: see <ViewLink change={{ area: 'rate-cards' }}>Rate cards</ViewLink>. It then charges {them}.
    </>
  )
}
