/** The prices of the npm package `@pydantic/genai-prices`, by provider. */
import type { ModelInfo, ModelPrice, Provider } from '@pydantic/genai-prices'
import { dividedBy, type Fraction, fractionOf } from '#formats/written-numbers.ts'
import { isPlainText, PLAIN_TEXT } from '#model/plain-text.ts'
import { CommandFailed } from './failure.ts'
import type { Column, LeftOut, ListedModel, ListedPrice, PriceList } from './price-list.ts'

/** Throws CommandFailed. */
export const loadGenaiPrices = async (): Promise<readonly Provider[]> => {
  const { waitForUpdate } = await import('@pydantic/genai-prices').catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ERR_MODULE_NOT_FOUND') throw error
    throw new CommandFailed('the package @pydantic/genai-prices is not installed: npm install @pydantic/genai-prices')
  })
  const providers = await waitForUpdate()
  if (providers === null) throw new CommandFailed('the package @pydantic/genai-prices has no prices')
  return providers
}

/** As of a day, such as `2026-06-01`. Of two providers with a model of the same name, the first one's is taken. */
export const genaiPrices = (
  providers: readonly Provider[],
  today: string,
  isWanted: (model: string) => boolean,
): PriceList => {
  const models = new Map<string, ListedModel>()
  const leftOut: LeftOut[] = []
  for (const provider of providers) {
    for (const model of provider.models) {
      if (!isWanted(model.id)) continue
      const leave = (what: string, why: string): void => {
        leftOut.push({ model: `${provider.id}/${model.id}`, what, why })
      }
      if (!isPlainText(model.id)) leave('id', `must be ${PLAIN_TEXT}`)
      else if (models.has(model.id)) leave('id', 'is also a model of a provider before')
      else {
        const before = leftOut.length
        const prices = pricesIn(pricesOn(model, today, leave), leave)
        if (prices.length > 0) models.set(model.id, { name: model.id, aliases: namesOf(model), prices })
        else if (leftOut.length === before) leave('prices', 'are empty')
      }
    }
  }
  return { models: [...models.values()], leftOut }
}

type Leave = (what: string, why: string) => void

/** A card has no dates and no hours, so only the prices of one day can be taken, if they hold all day. */
const pricesOn = ({ prices }: ModelInfo, today: string, leave: Leave): ModelPrice => {
  if (!Array.isArray(prices)) return prices
  let present: ModelPrice = {}
  for (const { constraint, prices: own } of prices) {
    if (constraint === undefined) present = own
    else if (!('start_date' in constraint)) {
      leave('prices', 'depend on the hour')
      return {}
    } else if (constraint.start_date <= today) present = own
    else leave(`prices from ${constraint.start_date} on`, `are not those of ${today}`)
  }
  return present
}

const MILLION = 1_000_000

/** The column of each key, and how many of its quantity the price is for. */
const COLUMN_OF: Readonly<Record<string, readonly [column: Column, per: number]>> = {
  input_mtok: ['input', MILLION],
  output_mtok: ['output', MILLION],
  cache_read_mtok: ['cache_read', MILLION],
  cache_write_mtok: ['cache_write', MILLION],
  cache_write_1h_mtok: ['cache_write_1h', MILLION],
  output_reasoning_mtok: ['reasoning', MILLION],
  input_audio_mtok: ['input_audio', MILLION],
  output_audio_mtok: ['output_audio', MILLION],
  input_image_mtok: ['input_image', MILLION],
  output_image_mtok: ['output_image', MILLION],
  audio_hours: ['audio_seconds', 3600],
  input_audio_hours: ['input_audio_seconds', 3600],
  web_searches_kcount: ['web_searches', 1000],
  storage_searches_kcount: ['storage_searches', 1000],
  input_document_kpages: ['pages', 1000],
  input_annotated_document_kpages: ['annotated_pages', 1000],
  input_text_messages_kcount: ['text_messages', 1000],
  requests_kcount: ['request', 1000],
}

const pricesIn = (prices: ModelPrice, leave: Leave): readonly ListedPrice[] =>
  Object.entries(prices).flatMap(([field, value]) => {
    if (value === undefined) return []
    const [column, per] = COLUMN_OF[field] ?? []
    if (column === undefined || per === undefined) {
      leave(field, 'cannot be said by the card')
      return []
    }
    const { base, tiers } = typeof value === 'number' ? { base: value, tiers: [] } : value
    const stated = [{ above: undefined, price: base }, ...tiers.map(({ start, price }) => ({ above: start, price }))]
    return stated.flatMap(({ above, price }) => {
      const usd = usdOf(price, per)
      if (usd === undefined) leave(field, 'must be a number from 0')
      return usd === undefined ? [] : [{ field, column, usd, ...(above !== undefined && { above }) }]
    })
  })

/** The shortest decimal of the double is the one that the package's authors wrote. */
const usdOf = (price: number, per: number): Fraction | undefined => {
  const usd = fractionOf(String(price))
  return usd === undefined || usd.over < 0n ? undefined : dividedBy(usd, { over: BigInt(per), under: 1n })
}

/** Other names that are spelled out; the package knows more by their beginnings, which a card cannot. */
const namesOf = ({ id, match }: ModelInfo): readonly string[] => {
  const all = 'or' in match ? match.or : [match]
  return all.flatMap((each) =>
    'equals' in each && each.equals !== id && isPlainText(each.equals) ? [each.equals] : [],
  )
}
