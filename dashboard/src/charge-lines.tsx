import { Fragment } from 'react'
import { ruleText } from '#rating/rules.ts'
import { credits, share as shareName } from './format.ts'
import { type ChargeContext, explainLines } from './receipt-lines.ts'
import './receipt.css'

export type { ChargeLine } from './receipt-lines.ts'

type Props = ChargeContext & { readonly total: number }

/** What each rule contributed, with the sum that it comes from. Amounts are in millionths of a credit. */
export const ChargeLines = ({ total, ...context }: Props) => {
  const texts = explainLines(context, ruleText)
  const added = context.lines.reduce((sum, line) => sum + Math.max(line.credits, 0), 0)
  return (
    <>
      <table className="charge-lines">
        <thead>
          <tr>
            <th scope="col">Rule</th>
            <th scope="col">Share</th>
            <th scope="col">Credits</th>
          </tr>
        </thead>
        <tbody>
          {context.lines.map((line, index) => {
            const { name = line.rule, sum = '', reason = '', share = 0 } = texts[index] ?? {}
            const how = [sum, reason].filter((text) => text !== '').join(', ')
            return (
              // biome-ignore lint/suspicious/noArrayIndexKey: a rule can have several lines, and they never move
              <Fragment key={index}>
                <tr className={how === '' ? 'line' : 'line explained'}>
                  <th scope="row">{name}</th>
                  <td>
                    <Share share={share} name={shareName(line.credits, added)} />
                  </td>
                  <td>{credits(line.credits)}</td>
                </tr>
                {how !== '' && (
                  <tr className="how">
                    <td colSpan={3}>{how}</td>
                  </tr>
                )}
              </Fragment>
            )
          })}
        </tbody>
        <tfoot>
          <tr>
            <th scope="row" colSpan={2}>
              Total
            </th>
            <td>{credits(total)}</td>
          </tr>
        </tfoot>
      </table>
      {added > total && context.lines.length > 0 && (
        <p className="note">Shares are of {credits(added)}: what is added before anything is taken off.</p>
      )}
    </>
  )
}

/** A bar as long as the share; of what is taken off, in outline. */
const Share = ({ share, name }: { readonly share: number; readonly name: string }) => (
  <span className={share < 0 ? 'share off' : 'share'} title={name}>
    <span className="track" aria-hidden="true">
      <span style={{ width: `${Math.min(Math.abs(share), 1) * 100}%` }} />
    </span>
    <span className="percent">{name}</span>
  </span>
)
