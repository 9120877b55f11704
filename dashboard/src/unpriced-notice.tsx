import type { Session } from 'copilot-credits-client'
import { createElement, Fragment, type ReactNode } from 'react'
import { type Overview, useUnpriced } from './data.ts'
import { NO_FILTERS } from './filters.tsx'
import { count, messagesName } from './format.ts'
import { type Needs, needsOf, type Reason, reasonsOf } from './unpriced.ts'
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
          <Reasons
            name={isAll ? 'Reasons' : `Reasons of the latest ${count(lines?.length ?? 0)}`}
            reasons={reasons.slice(0, REASONS_SHOWN)}
          />
        )}
        {reasons.length > REASONS_SHOWN && (
          <details className="more-reasons">
            <summary>{count(reasons.length - REASONS_SHOWN)} more reasons</summary>
            <Reasons name="More reasons" reasons={reasons.slice(REASONS_SHOWN)} />
          </details>
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

const Reasons = ({ name, reasons }: { readonly name: string; readonly reasons: readonly Reason[] }) => (
  <ul className="reasons" aria-label={name}>
    {reasons.map(({ text, messages }) => (
      <li key={text}>
        {messagesName(messages)}: {text}
      </li>
    ))}
  </ul>
)

type AdviceProps = { readonly reasons: readonly Reason[]; readonly session: Session; readonly isOne: boolean }

/** Whoever cannot put a card in force can only ask. */
const Advice = ({ reasons, session, isOne }: AdviceProps) => {
  const them = isOne ? 'it' : 'them'
  const what = reasons.length === 0 ? `a rate card that prices ${them}` : <CardWith {...needsOf(reasons)} />
  if (!session.operator) return <>Ask your operator to put {what} in force.</>
  return (
    <>
      Put {what} in force: see <ViewLink change={{ area: 'rate-cards' }}>Rate cards</ViewLink>. It then charges {them}.
    </>
  )
}

const MODELS_NAMED = 5

/** For all reasons at once: a card for only one of them would leave the others. */
const CardWith = ({ models, others }: Needs) => {
  const named = models.slice(0, MODELS_NAMED).map((model) => <code key={model}>{model}</code>)
  const rest = models.length - named.length
  const prices = (
    <>
      {models.length === 1 ? 'a price for the model ' : 'prices for the models '}
      {inList(rest > 0 ? [...named, `${count(rest)} more`] : named)}
    </>
  )
  return <>a rate card with {inList(models.length > 0 ? [prices, ...others] : others)}</>
}

/** `a, b and c`. */
const inList = (items: readonly ReactNode[]): ReactNode =>
  createElement(
    Fragment,
    null,
    ...items.flatMap((item, at) => [at === 0 ? '' : at === items.length - 1 ? ' and ' : ', ', item]),
  )
