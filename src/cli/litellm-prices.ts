/** The public price file of LiteLLM: an object with an entry for each model, whose prices are US dollars for one token, image … */
import { fractionOf, isSame, WrittenNumber } from '#formats/written-numbers.ts'
import { isPlainText, PLAIN_TEXT } from '#model/plain-text.ts'
import type { Column, LeftOut, ListedModel, ListedPrice, PriceList } from './price-list.ts'

type Fields = Readonly<Record<string, unknown>>

/** Undefined if the file is something else. */
export const litellmPrices = (file: unknown, isWanted: (model: string) => boolean): PriceList | undefined => {
  if (!isFields(file)) return undefined
  const models: ListedModel[] = []
  const leftOut: LeftOut[] = []
  for (const [name, entry] of Object.entries(file)) {
    if (name === EXAMPLE || !isWanted(name)) continue
    const leave = (what: string, why: string): void => {
      leftOut.push({ model: name, what, why })
    }
    if (!isPlainText(name) || name === '') leave('name', `must be ${PLAIN_TEXT}`)
    else if (!isFields(entry)) leave('entry', 'must be an object')
    else {
      const before = leftOut.length
      const prices = pricesIn(entry, leave)
      if (prices.length > 0) models.push({ name, prices })
      else if (leftOut.length === before) leave('entry', 'has no price')
    }
  }
  return { models, leftOut }
}

/** An entry that explains the others. */
const EXAMPLE = 'sample_spec'

const COLUMN_OF: Readonly<Record<string, Column>> = {
  input_cost_per_token: 'input',
  output_cost_per_token: 'output',
  cache_read_input_token_cost: 'cache_read',
  input_cost_per_token_cache_hit: 'cache_read',
  cache_creation_input_token_cost: 'cache_write',
  cache_creation_input_token_cost_above_1hr: 'cache_write_1h',
  output_cost_per_reasoning_token: 'reasoning',
  input_cost_per_audio_token: 'input_audio',
  output_cost_per_audio_token: 'output_audio',
  input_cost_per_image_token: 'input_image',
  output_cost_per_image_token: 'output_image',
  input_cost_per_character: 'input_characters',
  output_cost_per_character: 'output_characters',
  input_cost_per_pixel: 'input_pixels',
  output_cost_per_pixel: 'output_pixels',
  input_cost_per_image: 'input_images',
  output_cost_per_image: 'images',
  input_cost_per_second: 'input_seconds',
  output_cost_per_second: 'output_seconds',
  input_cost_per_audio_per_second: 'input_audio_seconds',
  input_cost_per_query: 'queries',
  input_cost_per_request: 'request',
  ocr_cost_per_page: 'pages',
  annotation_cost_per_page: 'annotated_pages',
}

/** Some providers charge either characters or tokens. */
const OF_TOKENS: Readonly<Partial<Record<Column, string>>> = {
  input_characters: 'input_cost_per_token',
  output_characters: 'output_cost_per_token',
}

const TIERS: Readonly<Record<string, string>> = {
  batches: 'batch',
  flex: 'flex',
  priority: 'priority',
  ultrafast: 'ultrafast',
}

/** Such as `input_cost_per_token_above_272k_tokens_priority`. */
const FIELD = new RegExp(`^(.+?)(?:_above_(\\d{1,9})(k?)_tokens)?(?:_(${Object.keys(TIERS).join('|')}))?$`)

/** Fields that decide what is charged, of which this knows some. */
const MAY_PRICE = /cost|pric|multiplier|^provider_specific_entry$/

const pricesIn = (entry: Fields, leave: (what: string, why: string) => void): readonly ListedPrice[] => {
  const prices: ListedPrice[] = []
  for (const [field, value] of Object.entries(entry)) {
    if (value === null || !MAY_PRICE.test(field)) continue
    const [, name = '', count, thousands, tier] = FIELD.exec(field) ?? []
    const column = field === SEARCHES ? 'web_searches' : COLUMN_OF[name]
    if (column === undefined) {
      leave(field, 'cannot be said by the card')
      continue
    }
    if (OF_TOKENS[column] !== undefined && entry[OF_TOKENS[column]] instanceof WrittenNumber) {
      leave(field, `is another way to charge what ${OF_TOKENS[column]} charges`)
      continue
    }
    const written = field === SEARCHES ? anySize(value) : value
    const usd = written instanceof WrittenNumber ? fractionOf(written.text) : undefined
    if (usd === undefined || usd.over < 0n) {
      leave(field, field === SEARCHES ? 'depends on the size of the search context' : 'must be a number from 0')
      continue
    }
    const price: ListedPrice = {
      field,
      column,
      usd,
      ...(count !== undefined && { above: Number(count) * (thousands === 'k' ? 1000 : 1) }),
      ...(tier !== undefined && { tier: TIERS[tier] ?? tier }),
    }
    const same = prices.find((each) => each.column === column && each.above === price.above && each.tier === price.tier)
    if (same === undefined) prices.push(price)
    else if (!isSame(same.usd, usd)) leave(field, `differs from ${same.field}, which is for the same`)
  }
  return prices
}

const SEARCHES = 'search_context_cost_per_query'

/** The price of a search, if it is the same for every size of its context. */
const anySize = (value: unknown): unknown => {
  const sizes = isFields(value) ? Object.values(value) : []
  const [first] = sizes
  const isFirst = (each: unknown): boolean =>
    each instanceof WrittenNumber && first instanceof WrittenNumber && each.text === first.text
  return sizes.every(isFirst) ? first : undefined
}

const isFields = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof WrittenNumber)
