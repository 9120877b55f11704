/** Writes lines as CSV that spreadsheets open without changing or running anything. */
import { dayAndTime, dayOf } from './format.ts'
import type { Line } from './usage.ts'

/** Tells Excel that the file is UTF-8. */
const MARK = '\ufeff'

/** The names of the API's fields; `time` is `timestamp` on the clock of the organization. */
const COLUMNS = [
  'message_id',
  'time',
  'timestamp',
  'report_name',
  'credits_used',
  'user_id',
  'team_id',
  'model',
  'feature',
  'outcome',
  'unpriced',
]

/** A line without a price has the reason in place of an amount. */
export const toCsv = (lines: Iterable<Line>, timeZone: string): string => {
  const rows = [COLUMNS.join()]
  for (const { id, at, timestamp, report, micros, member, team, model, feature, outcome, unpriced } of lines) {
    const amount = micros === undefined ? '' : String(micros / 1e6)
    const texts = [report, member, team, model, feature, outcome, unpriced].map((text) => cellOf(text ?? ''))
    const [reportCell, ...others] = texts
    rows.push([idCell(id), dayAndTime(at, timeZone), cellOf(timestamp), reportCell, amount, ...others].join())
  }
  return `${MARK}${rows.join('\r\n')}\r\n`
}

/** `copilot-credits_acme_2026-11-01_2026-11-30.csv`. */
export const csvName = (organization: string, from: number, to: number, timeZone: string): string =>
  `copilot-credits_${organization}_${dayOf(from, timeZone)}_${dayOf(Math.max(from, to - 1), timeZone)}.csv`

/** Excel keeps 15 digits of a number. */
const DIGITS_KEPT = 1e15

const idCell = (id: number | string): string => {
  if (typeof id === 'number') return Math.abs(id) < DIGITS_KEPT ? String(id) : asText(String(id))
  return cellOf(id)
}

const cellOf = (text: string): string => {
  if (isRead(text)) return asText(text)
  return quoted(RUNS.test(text) ? `'${text}` : text)
}

/** As in RFC 4180. */
const quoted = (text: string): string => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text)

/**
 * A formula that gives the text. Of all forms, only this one keeps `007` and `1-2` as they are in Excel, LibreOffice and Google Sheets;
 * other programs see the formula. It is harmless, because it is written only for texts without a quote.
 */
const asText = (text: string): string => `"=""${text}"""`

/** What a spreadsheet would run as a formula, also behind white space or in full width. */
const RUNS = /^(?:[\s\p{Cf}]*[=+\-@＝＋－＠]|[\t\r\n])/u

const MONTHS =
  'jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?'

const READ = [
  // A number, an amount of money, a percentage, a date or a time.
  /^[\s\d.,:/()+\-%$£€¥']*\d[\s\d.,:/()+\-%$£€¥']*( ?[ap]m?)?$/i,
  // 1e5
  /^[+-]?[\d.,]+e[+-]?\d+$/i,
  // MAR1, 1-Mar, 2 March 2024
  new RegExp(`^(?=.*\\d)(?:\\d{1,4}[-/ .]?)?(?:${MONTHS})(?:[-/ .,]*\\d{1,4}){0,2}$`, 'i'),
  /^(true|false)$/i,
]

/** Whether a spreadsheet would take the text for something else. Timestamps are not among them: they have a T. */
const isRead = (text: string): boolean => !/[\r\n"]/.test(text) && READ.some((pattern) => pattern.test(text))
