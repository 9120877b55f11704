/** A row of a vendor's file, read exactly. */
import { zoned } from '#calendar/periods.ts'
import { instantOf, isTimestamp } from '#model/timestamp.ts'
import { type Exact, ONE, product, type Written, writtenDecimal } from './decimals.ts'
import type { Layout } from './layout.ts'
import { type Field, PREMIUM_REQUEST_USD, type Vendor } from './vendors.ts'
import { WrongFile } from './wrong-file.ts'

export type TokenKind = 'input' | 'cacheRead' | 'cacheWrite' | 'output'

/** Amounts in credits. */
export type TheirRow = {
  /** In the time zone of the vendor: `2026-10-05`. */
  readonly date: string
  readonly user: string
  readonly model: string
  /** What they bill, before discounts. */
  readonly amount: Exact
  /** How many decimals the cell has that the amount was read from. */
  readonly decimals: number
  /** The same amount from their quantity and rate, if the row has them. */
  readonly computed?: Exact
  /** How many credits were used, if the row says so. The amount is more if their rate is higher. */
  readonly credits?: Written
  readonly requests?: Exact
  /** Whether `requests` counts requests. GitHub's premium requests are multiplied by the model. */
  readonly isCount: boolean
  readonly tokens: Readonly<Partial<Record<TokenKind, Exact>>>
}

/** A row that is no usage of a copilot: of another product. */
export type OtherRow = { readonly unit: string }

export type RowSettings = {
  readonly vendor: Vendor
  /** Where its days begin. */
  readonly timeZone: string
  readonly creditsPerUsd: Exact
}

export type RowReader = (cells: readonly string[], place: string) => TheirRow | OtherRow

const TOKENS = {
  input: 'input_tokens',
  cacheRead: 'cache_read_tokens',
  cacheWrite: 'cache_write_tokens',
  output: 'output_tokens',
} as const satisfies Readonly<Record<TokenKind, Field>>
export const TOKEN_KINDS = Object.keys(TOKENS) as readonly TokenKind[]

/** The reader throws WrongFile. */
export const createRowReader = ({ at }: Layout, { vendor, timeZone, creditsPerUsd }: RowSettings): RowReader => {
  const dateIn = createDates(timeZone)
  const inCredits: InCredits = (usd) => product(usd, creditsPerUsd)
  const cellsOf = (cells: readonly string[], place: string): Cells => {
    const text = (field: Field): string => {
      const index = at[field]
      return index === undefined ? '' : (cells[index] ?? '').trim()
    }
    return { text, number: (field) => numberIn(text(field), field, place) }
  }
  const hasQuantity = at.quantity !== undefined
  const amountField = at.amount_usd === undefined ? 'credits' : 'amount_usd'
  const isRequest = vendor.hasRowPerRequest && at.requests === undefined

  return (row, place) => {
    const cells = cellsOf(row, place)
    const named = { date: dateIn(cells.text('date'), place), user: cells.text('user'), model: cells.text('model') }
    const tokens = tokensIn(cells)
    if (hasQuantity) {
      const unit = unitOf(cells.text('unit') || 'requests')
      return unit === undefined
        ? { unit: cells.text('unit') }
        : { ...named, ...billedByUnit(cells, unit, inCredits), tokens }
    }
    const billed = billedByAmount(cells, inCredits)
    if (billed === undefined) throw wrong(place, amountField, 'a number: without it, the row has no amount')
    return { ...named, ...(isRequest && { requests: ONE }), ...billed, tokens }
  }
}

/** Of a row. */
type Cells = {
  /** Empty if the file has no such column. */
  readonly text: (field: Field) => string
  /** Undefined if the cell is empty. Throws WrongFile. */
  readonly number: (field: Field) => Written | undefined
}

type Billed = Omit<TheirRow, 'date' | 'user' | 'model' | 'tokens'>

const tokensIn = (cells: Cells): TheirRow['tokens'] => {
  const tokens: Partial<Record<TokenKind, Exact>> = {}
  for (const kind of TOKEN_KINDS) {
    const count = cells.number(TOKENS[kind])
    if (count !== undefined) tokens[kind] = count.value
  }
  return tokens
}

type InCredits = (usd: Exact) => Exact

/** Of a row with a quantity, as GitHub's. */
const billedByUnit = (cells: Cells, unit: Unit, inCredits: InCredits): Billed => {
  const { credits, usd, rate, quantity, requests } = quantitiesIn(cells, unit)
  const computed = rate === undefined ? credits?.value : inCredits(product(quantity.value, rate.value))
  return {
    amount: usd === undefined ? (computed ?? 0n) : inCredits(usd.value),
    decimals: usd?.decimals ?? 0,
    ...(computed !== undefined && { computed }),
    ...(credits !== undefined && { credits }),
    ...(requests !== undefined && { requests }),
    isCount: false,
  }
}

const quantitiesIn = (cells: Cells, unit: Unit) => {
  const quantity = cells.number('quantity') ?? NOTHING
  const preview = unit === 'requests' ? cells.number('preview_credits') : undefined
  if (preview !== undefined) {
    const usd = cells.number('preview_amount_usd')
    return { credits: preview, usd, rate: undefined, requests: undefined, quantity: preview }
  }
  const isCredits = unit === 'ai-credits'
  const rate = cells.number('rate_usd')
  const usd = cells.number('amount_usd')
  const listed = isCredits ? undefined : LISTED
  return {
    credits: isCredits ? quantity : undefined,
    requests: isCredits ? undefined : quantity.value,
    rate: rate ?? (usd === undefined ? listed : undefined),
    usd,
    quantity,
  }
}

/** Undefined if the row has no amount. */
const billedByAmount = (cells: Cells, inCredits: InCredits): Billed | undefined => {
  const usd = cells.number('amount_usd')
  const credits = cells.number('credits')
  const amount = usd === undefined ? credits : { ...usd, value: inCredits(usd.value) }
  if (amount === undefined) return undefined
  const requests = cells.number('requests')
  return {
    amount: amount.value,
    decimals: amount.decimals,
    ...(usd !== undefined && credits !== undefined && { credits, computed: credits.value }),
    ...(requests !== undefined && { requests: requests.value }),
    isCount: true,
  }
}

const numberIn = (text: string, field: Field, place: string): Written | undefined => {
  if (text === '') return undefined
  const written = writtenDecimal(text)
  if (written === undefined) throw wrong(place, field, 'a number such as 12 or 0.0125')
  return written
}

const NOTHING: Written = { value: 0n, decimals: 0 }
const LISTED = writtenDecimal(PREMIUM_REQUEST_USD)

type Unit = 'requests' | 'ai-credits'

/** Undefined for seats, minutes and other things that are not usage of a copilot. */
const unitOf = (text: string): Unit | undefined => {
  const unit = text.toLowerCase().replace(/[ _]+/g, '-').replace(/s$/, '')
  if (unit === 'request' || unit === 'premium-request') return 'requests'
  return unit === 'ai-credit' ? 'ai-credits' : undefined
}

const wrong = (place: string, field: Field, expected: string): WrongFile =>
  new WrongFile(`${place}, ${field}`, expected)

/** A date and time without an offset is in the vendor's time zone. */
const createDates = (timeZone: string): ((text: string, place: string) => string) => {
  const known = new Map<string, string>()
  const dateOf = (text: string): string | undefined => {
    const [, date = '', time, offset] =
      /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d(?:\.\d+)?)?) ?(Z|UTC|[+-]\d\d:\d\d)?)?$/i.exec(text) ?? []
    if (!isTimestamp(`${date}T00:00:00Z`)) return undefined
    if (time === undefined || offset === undefined) return date
    const at = `${date}T${time.length === 5 ? `${time}:00` : time}${offset.toUpperCase() === 'UTC' ? 'Z' : offset}`
    return isTimestamp(at) ? zoned(instantOf(at), timeZone).toPlainDate().toString() : undefined
  }
  return (text, place) => {
    const read = known.get(text) ?? dateOf(text)
    if (read === undefined)
      throw wrong(
        place,
        'date',
        'a date such as 2026-10-05, or a date and time such as 2026-10-05T09:30:00Z; spreadsheets rewrite dates when they save a file',
      )
    if (known.size < DATES_KNOWN) known.set(text, read)
    return read
  }
}

const DATES_KNOWN = 10_000
