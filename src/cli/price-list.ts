/** Makes a rate card from what a public list of prices says of each model. What the card cannot say is left out, and named. */

import { dividedBy, type Fraction, isSame, minus, times, wholeOf } from '#formats/written-numbers.ts'
import type { Card, CardLine, PriceRow } from '#model/card.ts'
import { credits, DECIMAL_MAX, toDecimal } from '#model/credits.ts'

/** A price in US dollars for one of the column's quantity. */
export type ListedPrice = {
  /** What the list calls it. */
  readonly field: string
  readonly column: Column
  readonly usd: Fraction
  /** Such as `batch`; absent for the standard tier. */
  readonly tier?: string
  /** For prompts of more tokens than this. */
  readonly above?: number
}

export type ListedModel = {
  readonly name: string
  readonly aliases?: readonly string[]
  readonly prices: readonly ListedPrice[]
}

export type LeftOut = { readonly model: string; readonly what: string; readonly why: string }

export type PriceList = { readonly models: readonly ListedModel[]; readonly leftOut: readonly LeftOut[] }

export type ImportedCard = { readonly card: Card; readonly leftOut: readonly LeftOut[] }

const MILLION = 1_000_000
const HOUR = 3600

type ColumnPlan = {
  /** The quantity that is priced. Absent: once for each message. */
  readonly of?: string
  readonly per: number
  /** Its quantity is a part of that of this column, so it costs what it is dearer. */
  readonly partOf?: 'input' | 'cache_write' | 'output'
}

const COLUMNS = {
  input: { of: 'input_tokens', per: MILLION },
  cache_read: { of: 'cache_read_tokens', per: MILLION },
  cache_write: { of: 'cache_write_tokens', per: MILLION },
  output: { of: 'output_tokens', per: MILLION },
  cache_write_1h: { of: 'cache_write_1h_tokens', per: MILLION, partOf: 'cache_write' },
  reasoning: { of: 'reasoning_tokens', per: MILLION, partOf: 'output' },
  input_audio: { of: 'input_audio_tokens', per: MILLION, partOf: 'input' },
  output_audio: { of: 'output_audio_tokens', per: MILLION, partOf: 'output' },
  input_image: { of: 'input_image_tokens', per: MILLION, partOf: 'input' },
  output_image: { of: 'output_image_tokens', per: MILLION, partOf: 'output' },
  input_characters: { of: 'input_characters', per: MILLION },
  output_characters: { of: 'output_characters', per: MILLION },
  input_pixels: { of: 'input_pixels', per: MILLION },
  output_pixels: { of: 'output_pixels', per: MILLION },
  input_images: { of: 'input_images', per: 1 },
  images: { of: 'images', per: 1 },
  input_seconds: { of: 'input_seconds', per: HOUR },
  output_seconds: { of: 'output_seconds', per: HOUR },
  audio_seconds: { of: 'audio_seconds', per: HOUR },
  input_audio_seconds: { of: 'input_audio_seconds', per: HOUR },
  web_searches: { of: 'web_searches', per: 1000 },
  storage_searches: { of: 'storage_searches', per: 1000 },
  queries: { of: 'queries', per: 1000 },
  pages: { of: 'pages', per: 1000 },
  annotated_pages: { of: 'annotated_pages', per: 1000 },
  text_messages: { of: 'text_messages', per: 1000 },
  request: { per: 1000 },
} as const satisfies Readonly<Record<string, ColumnPlan>>

export type Column = keyof typeof COLUMNS

const planOf = (column: Column): ColumnPlan => COLUMNS[column]

/** The attribute that names the tier; absent for the standard one. */
const TIER = 'service_tier'

type Terms = {
  readonly version: string
  readonly usdPerCredit: Fraction
  /** What a price is multiplied by. */
  readonly factor: Fraction
}

export const cardOfPrices = (list: PriceList, { version, usdPerCredit, factor }: Terms): ImportedCard => {
  const leftOut = new Map<string, LeftOut>()
  const leave: Leave = (model, what, why) => {
    // The same price can be part of several rows.
    leftOut.set(JSON.stringify([model, what]), { model, what, why })
  }
  for (const { model, what, why } of list.leftOut) leave(model, what, why)
  const models = list.models.map(withoutPlainReasoning)
  const prices = new Map<string, readonly PriceRow[]>()
  for (const model of models) {
    const rows = rowsOf(model, (usd) => times(dividedBy(usd, usdPerCredit), factor), leave)
    if (rows.some((row) => columnsOf(row).length > 0)) prices.set(model.name, rows)
  }
  const priced = models.filter(({ name }) => prices.has(name))
  // Also of prices that are left out or not listed: without its line, what such a price is for would cost nothing more.
  const columns = (Object.keys(COLUMNS) as Column[]).filter((column) =>
    priced.some((model) => states(model, column === 'cache_write_1h' ? 'cache_write' : column)),
  )
  const aliases = new Map<string, string>()
  for (const { name, aliases: own = [] } of priced) {
    for (const alias of own) if (!prices.has(alias) && !aliases.has(alias)) aliases.set(alias, name)
  }
  const card: Card = {
    version,
    prices: Object.fromEntries(prices),
    ...(aliases.size > 0 && { aliases: Object.fromEntries(aliases) }),
    cases: [{ name: 'model', when: { model: '*' }, lines: columns.map((column) => lineOf(column, priced)) }],
  }
  return { card, leftOut: [...leftOut.values()] }
}

type Leave = (model: string, what: string, why: string) => void

const columnsOf = (row: PriceRow): readonly string[] => Object.keys(row).filter((name) => name !== 'when')

/** Reasoning tokens are output tokens, so they need a price only if it differs from that of output. */
const withoutPlainReasoning = (model: ListedModel): ListedModel => {
  const { prices } = model
  const isPlain = ({ usd, tier, above }: ListedPrice): boolean =>
    prices.some(
      (each) => each.column === 'output' && each.tier === tier && each.above === above && isSame(each.usd, usd),
    )
  const reasoning = prices.filter(({ column }) => column === 'reasoning')
  return reasoning.every(isPlain) ? { ...model, prices: prices.filter((each) => !reasoning.includes(each)) } : model
}

const lineOf = (column: Column, models: readonly ListedModel[]): CardLine => {
  const { of, per } = planOf(column)
  return {
    rule: column.replaceAll('_', '-'),
    ...(of !== undefined && { of }),
    price: column,
    per,
    // Reasoning of other models costs what output costs, and their requests cost nothing by themselves.
    ...((column === 'reasoning' || column === 'request') && {
      when: { model: models.filter((model) => states(model, column)).map(({ name }) => name) },
    }),
  }
}

const states = ({ prices }: ListedModel, column: Column): boolean => prices.some((price) => price.column === column)

/**
 * The first row that holds applies. A tier has the prices that the list states for it and no others, and a tier that the list does
 * not know has none: a message that names it is not charged by the standard prices.
 */
const rowsOf = (
  { name, prices }: ListedModel,
  toCredits: (usd: Fraction) => Fraction,
  leave: Leave,
): readonly PriceRow[] => {
  const thresholds = [...new Set(prices.flatMap(({ above }) => above ?? []))].sort((one, other) => other - one)
  const tiers = [...new Set(prices.flatMap(({ tier }) => tier ?? []))]
  const priced = (when: PriceRow['when'], stated: readonly ListedPrice[]): PriceRow => ({
    ...(when !== undefined && { when }),
    ...pricesOf(name, stated, toCredits, leave),
  })
  const ofTier = (tier: string | undefined) => prices.filter((price) => price.tier === tier)
  const tierRows = tiers.flatMap((tier) => [
    ...thresholds.map((above) =>
      priced(
        { [TIER]: tier, prompt_tokens: { above } },
        ofTier(tier).filter((price) => price.above === above),
      ),
    ),
    priced(
      { [TIER]: tier },
      ofTier(tier).filter(({ above }) => above === undefined),
    ),
  ])
  const standard = ofTier(undefined)
  // A price that the list does not state for longer prompts stays the same for them.
  const upTo = (limit: number) =>
    [...thresholds, 0]
      .reverse()
      .flatMap((above) => standard.filter((price) => (price.above ?? 0) === above && above <= limit))
  return [
    ...tierRows,
    { when: { [TIER]: '*' } },
    ...thresholds
      .filter((above) => standard.some((price) => price.above === above))
      .map((above) => priced({ prompt_tokens: { above } }, upTo(above))),
    priced(undefined, upTo(0)),
  ]
}

const pricesOf = (
  model: string,
  stated: readonly ListedPrice[],
  toCredits: (usd: Fraction) => Fraction,
  leave: Leave,
): Readonly<Record<string, number>> => {
  /** Of several, the last: it is the one of the longest prompts. */
  const known = new Map(stated.map((price) => [price.column, price]))
  const prices: Record<string, number> = {}
  for (const [column, { field, usd }] of known) {
    const { per, partOf } = planOf(column)
    const whole = partOf === undefined ? undefined : known.get(partOf)
    if (partOf !== undefined && whole === undefined) {
      leave(model, field, `is the price of a part of "${partOf}", which has no price here`)
      continue
    }
    const own = whole === undefined ? usd : minus(usd, whole.usd)
    const price = own.over < 0n ? undefined : decimalOf(times(toCredits(own), { over: BigInt(per), under: 1n }))
    if (price !== undefined) prices[column] = price
    else if (own.over < 0n) leave(model, field, `is lower than ${whole?.field ?? '0'}: a part of it cannot cost less`)
    else leave(model, field, `is not exact in six decimals of a credit for ${per.toLocaleString('en')}, or too large`)
  }
  return prices
}

/** Of credits with at most six decimals. */
const decimalOf = (amount: Fraction): number | undefined => {
  const micros = wholeOf(times(amount, { over: 1_000_000n, under: 1n }))
  if (micros === undefined || micros >= BigInt(DECIMAL_MAX) * 1_000_000n) return undefined
  return Number(toDecimal(credits(Number(micros))))
}
