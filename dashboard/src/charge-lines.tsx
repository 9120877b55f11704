import { count, credits } from './format.ts'

export type ChargeLine = {
  readonly rule: string
  readonly band?: { readonly from: number; readonly to?: number | undefined } | undefined
  readonly quantity: number
  readonly rate: number
  readonly credits: number
}

const NAMES: Readonly<Record<string, string>> = {
  report: 'Report',
  base: 'Base',
  characters: 'Characters',
  words: 'Words',
  'third-vowels': 'Third vowels',
  'length-penalty': 'Length penalty',
  'unique-words': 'Unique words',
  minimum: 'Minimum',
  palindrome: 'Palindrome',
}

const REASONS: Readonly<Record<string, string>> = {
  report: 'fixed price in place of all other rules',
  base: 'every message',
  characters: 'including whitespace',
  'third-vowels': 'each vowel among the 3rd, 6th, 9th, … characters',
  'length-penalty': 'text longer than the rate card’s limit',
  'unique-words': 'discount: no word occurs twice',
  minimum: 'raises the total to the rate card’s minimum',
  palindrome: 'doubles the total: reads the same in both directions',
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
            {NAMES[line.rule] ?? line.rule}
            <span className="reason">{line.band === undefined ? REASONS[line.rule] : bandName(line.band)}</span>
          </th>
          <td>{count(line.quantity)}</td>
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
