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
  report: 'what the report costs, whatever the text',
  base: 'every message',
  characters: 'white space included',
  'third-vowels': 'each third character that is a vowel',
  'length-penalty': 'the text is longer than the limit',
  'unique-words': 'no two words are equal',
  minimum: 'up to the least that a message costs',
  palindrome: 'it reads the same in both directions: doubled',
}

const bandName = ({ from, to }: NonNullable<ChargeLine['band']>): string =>
  to === undefined ? `of ${from} letters or more` : `of ${from} to ${to} letters`

/** Amounts in millionths of a credit. */
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
