import type { Simulation } from 'copilot-credits-client'
import { useState } from 'react'
import { count, credits, dateTime, messagesName, toMicros } from './format.ts'
import { type Change, changeName, changesBy, DIMENSIONS, type Dimension, signedCredits } from './simulated.ts'
import { Tabs, tabId } from './tabs.tsx'
import { ViewLink } from './view-link.tsx'

type Props = { readonly simulation: Simulation; readonly timeZone: string }

/** What the messages cost, and what they would cost. */
export const SimulationResult = ({ simulation, timeZone }: Props) => {
  const { messages, costlier, cheaper, unpriced_before: unpricedBefore = 0, unpriced_after: unpriced = 0 } = simulation
  const [before, after] = [toMicros(simulation.credits_before), toMicros(simulation.credits_after)]
  return (
    <section aria-label="Result" className="simulated">
      <dl className="outcome">
        <div>
          <dt>Charged now</dt>
          <dd>{credits(before)}</dd>
        </div>
        <div>
          <dt>By {simulation.rate_card.version}</dt>
          <dd>{credits(after)}</dd>
        </div>
        <div>
          <dt>Difference</dt>
          <dd>{changeName(before, after)}</dd>
        </div>
      </dl>
      <p role="status">
        Of {messagesName(messages)}, {count(costlier)} would cost more and {count(cheaper)} less.
        {unpriced > 0 || unpricedBefore > 0
          ? ` ${count(unpriced)} would have no price; now it is ${count(unpricedBefore)}.`
          : ''}
      </p>
      {simulation.unpriced.length > 0 && (
        <div className="notice bad">
          <div>
            <strong>Without a price, and so not charged:</strong>
            <ul className="faults">
              {simulation.unpriced.map(({ reason, messages: without }) => (
                <li key={reason}>
                  {messagesName(without)}: {reason}
                </li>
              ))}
            </ul>
          </div>
        </div>
      )}
      <Changes simulation={simulation} />
      <Largest simulation={simulation} timeZone={timeZone} />
    </section>
  )
}

const CHANGES_TITLE = 'Who pays more, and who less'

const Changes = ({ simulation }: { readonly simulation: Simulation }) => {
  const [dimension, setDimension] = useState<Dimension>('report')
  const changes = changesBy(simulation, dimension)
  return (
    <>
      <h3>{CHANGES_TITLE}</h3>
      <Tabs name={CHANGES_TITLE} tabs={DIMENSIONS} shown={dimension} choose={setDimension} panel="changes" />
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: the keyboard must be able to scroll it */}
      <div id="changes" role="tabpanel" aria-labelledby={tabId('changes', dimension)} className="sideways" tabIndex={0}>
        <ChangeTable changes={changes} simulation={simulation} />
      </div>
    </>
  )
}

type TableProps = { readonly changes: readonly Change[]; readonly simulation: Simulation }

const ChangeTable = ({ changes, simulation }: TableProps) => {
  const largest = Math.max(...changes.map(({ difference }) => Math.abs(difference)), 1)
  return (
    <table className="listing">
      <thead>
        <tr>
          <th scope="col">Name</th>
          <th scope="col" className="number">
            Messages
          </th>
          <th scope="col" className="number">
            Now
          </th>
          <th scope="col" className="number">
            Then
          </th>
          <th scope="col" className="number">
            Difference
          </th>
          <td aria-hidden="true" />
        </tr>
      </thead>
      <tbody>
        {changes.map(({ name, messages, before, after, difference, unpriced }) => (
          <tr key={name}>
            <th scope="row">
              {name}
              {unpriced > 0 && <span className="reason no-price">{count(unpriced)} without a price</span>}
            </th>
            <td className="number">{count(messages)}</td>
            <td className="number">{credits(before)}</td>
            <td className="number">{credits(after)}</td>
            <td className="number">{signedCredits(difference)}</td>
            <td aria-hidden="true" className="bar-cell">
              <span className={difference < 0 ? 'change less' : 'change'}>
                <span style={{ width: `${(Math.abs(difference) / largest) * 100}%` }} />
              </span>
            </td>
          </tr>
        ))}
      </tbody>
      <tfoot>
        <tr>
          <th scope="row">Total</th>
          <td className="number">{count(simulation.messages)}</td>
          <td className="number">{credits(toMicros(simulation.credits_before))}</td>
          <td className="number">{credits(toMicros(simulation.credits_after))}</td>
          <td className="number">{signedCredits(toMicros(simulation.difference))}</td>
          <td aria-hidden="true" />
        </tr>
      </tfoot>
    </table>
  )
}

const Largest = ({ simulation: { largest_changes: changes }, timeZone }: Props) => {
  if (changes.length === 0) return undefined
  return (
    <>
      <h3 id="largest-title">The messages that change most</h3>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: the keyboard must be able to scroll it */}
      <section className="sideways" aria-labelledby="largest-title" tabIndex={0}>
        <table className="listing">
          <thead>
            <tr>
              <th scope="col">Message ID</th>
              <th scope="col">Timestamp</th>
              <th scope="col">What</th>
              <th scope="col" className="number">
                Now
              </th>
              <th scope="col" className="number">
                Then
              </th>
            </tr>
          </thead>
          <tbody>
            {changes.map((change) => (
              <tr key={`${typeof change.message_id} ${change.message_id}`}>
                <th scope="row">
                  <ViewLink change={{ area: 'messages', message: change.message_id }}>{change.message_id}</ViewLink>
                </th>
                <td className="time">
                  <time dateTime={change.timestamp} title={change.timestamp}>
                    {dateTime(Date.parse(change.timestamp), timeZone)}
                  </time>
                </td>
                <td>
                  {[change.report_name, change.model, change.user_id].filter((name) => name !== undefined).join(', ')}
                </td>
                <td className="number">{amountName(change.credits_before)}</td>
                <td className="number">{amountName(change.credits_after)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </section>
    </>
  )
}

const amountName = (amount: number | undefined): string =>
  amount === undefined ? 'no price' : credits(toMicros(amount))
