import { ruleText } from '#rating/rules.ts'
import { credits, quantity } from './format.ts'

export type ChargeLine = {
  readonly rule: string
  readonly band?: { readonly from: number; readonly to?: number | undefined } | undefined
  readonly quantity: number
  readonly rate: number
  readonly credits: number
}

const bandName = ({ from, to }: NonNullable<ChargeLine['band']>): string =>
  to === undefined ? `${from} characters or more` : `${from} to ${to} characters`

/** Amounts are in millionths of a credit. */
export const ChargeLines = ({ lines, total }: { readonly lines: readonly ChargeLine[]; readonly total: number }) => (
  <table className="charge-lines">
    <thead>
      <tr>
        <th scope="col">Rule</th>
        <th scope="col">Quantity</th>
        <th scope="col">Rate</th>
        <th scope="col">Credits</th>
      </tr>
    </thead>
    <tbody>
      {lines.map((line) => (
        <tr key={`${line.rule} ${line.band?.from}`}>
          <th scope="row">
            {ruleText(line.rule).name}
            <span className="reason">{line.band === undefined ? ruleText(line.rule).reason : bandName(line.band)}</span>
          </th>
          <td>{quantity(line.quantity)}</td>
          <td>{credits(line.rate)}</td>
          <td>{credits(line.credits)}</td>
        </tr>
      ))}
    </tbody>
    <tfoot>
      <tr>
        <th scope="row" colSpan={3}>
          Total
        </th>
        <td>{credits(total)}</td>
      </tr>
    </tfoot>
  </table>
)
