import { ruleText } from '#rating/rules.ts'
import { count, credits, quantity } from './format.ts'

export type ChargeLine = {
  readonly rule: string
  readonly band?: { readonly from: number; readonly to?: number | undefined } | undefined
  readonly quantity: number
  readonly rate: number
  /** 1 if absent. */
  readonly per?: number | undefined
  readonly packages?: number | undefined
  readonly credits: number
}

const bandName = ({ from, to }: NonNullable<ChargeLine['band']>): string =>
  to === undefined ? `${from} characters or more` : `${from} to ${to} characters`

const packagesName = (packages: number, per: number): string =>
  `${count(packages)} started ${packages === 1 ? 'package' : 'packages'} of ${count(per)}`

/** What stands below the rule's name: what the line counts, or why it applied. */
const reasonOf = ({ rule, band, packages, per = 1 }: ChargeLine, rateCard: string): string => {
  if (packages !== undefined) return packagesName(packages, per)
  return band === undefined ? ruleText(rule, rateCard).reason : bandName(band)
}

type Props = { readonly lines: readonly ChargeLine[]; readonly total: number; readonly rateCard: string }

/** Amounts are in millionths of a credit. */
export const ChargeLines = ({ lines, total, rateCard }: Props) => (
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
      {lines.map((line, index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: a rule can have several lines, and they never move
        <tr key={index}>
          <th scope="row">
            {ruleText(line.rule, rateCard).name}
            <span className="reason">{reasonOf(line, rateCard)}</span>
          </th>
          <td>{quantity(line.quantity)}</td>
          <td>
            {credits(line.rate)}
            {line.per !== undefined && <span className="reason">per {count(line.per)}</span>}
          </td>
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
