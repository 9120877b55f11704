/** The tokens of a call, in kinds that do not overlap, from counts that may or may not include each other. */
import { BadField } from '#intake/bad-field.ts'
import { COUNTS } from './attribute-names.ts'
import type { Attributes, AttributeValue } from './records.ts'
import type { CachedTokens } from './sources.ts'

/** As in a message. */
export type Usage = {
  readonly input_tokens: number
  readonly cache_read_tokens: number
  readonly cache_write_tokens: number
  readonly output_tokens: number
  readonly reasoning_tokens: number
}

type Counted = { readonly name: string; readonly count: number }
type Counts = { readonly [Kind in keyof typeof COUNTS]?: Counted | undefined }
export type CountNames = { readonly [Kind in keyof typeof COUNTS]?: readonly string[] }

/** Undefined if there are no counts. Throws BadField, which names the attribute. */
export const usageOf = (
  attributes: Attributes,
  cachedTokens: CachedTokens,
  names: CountNames = COUNTS,
): Usage | undefined => {
  const counts: Counts = {
    input: countIn(attributes, names.input),
    cacheRead: countIn(attributes, names.cacheRead),
    cacheWrite: countIn(attributes, names.cacheWrite),
    output: countIn(attributes, names.output),
    reasoning: countIn(attributes, names.reasoning),
    total: countIn(attributes, names.total),
    uncached: countIn(attributes, names.uncached),
  }
  const { input, cacheRead, cacheWrite, output, reasoning } = counts
  if (input === undefined && cacheRead === undefined && cacheWrite === undefined && output === undefined)
    return undefined
  const usage = {
    input_tokens: uncachedIn(counts, cachedTokens),
    cache_read_tokens: cacheRead?.count ?? 0,
    cache_write_tokens: cacheWrite?.count ?? 0,
    output_tokens: output?.count ?? 0,
    reasoning_tokens: reasoning?.count ?? 0,
  }
  if (reasoning !== undefined && usage.reasoning_tokens > usage.output_tokens)
    throw new BadField(reasoning.name, `must be at most ${output?.name ?? 'the output tokens'}`)
  return usage
}

/**
 * The sender's way of counting applies unless the numbers contradict it and fit the other way: less input than cached tokens can only
 * be counted apart.
 */
const uncachedIn = (counts: Counts, cachedTokens: CachedTokens): number => {
  const ways: readonly CachedTokens[] = cachedTokens === 'included' ? ['included', 'apart'] : ['apart', 'included']
  const fitting = ways.find((way) => faultIn(counts, way) === undefined)
  const fault = fitting === undefined ? faultIn(counts, cachedTokens) : undefined
  if (fault !== undefined) throw fault
  return uncached(counts, fitting ?? cachedTokens)
}

const uncached = ({ input, cacheRead, cacheWrite }: Counts, way: CachedTokens): number =>
  (input?.count ?? 0) - (way === 'included' ? (cacheRead?.count ?? 0) + (cacheWrite?.count ?? 0) : 0)

const faultIn = (counts: Counts, way: CachedTokens): BadField | undefined => {
  const { input, cacheRead, cacheWrite, output, total, uncached: stated } = counts
  const rest = uncached(counts, way)
  const cached = [cacheRead, cacheWrite].flatMap((each) => each?.name ?? []).join(' and ')
  const name = input?.name ?? COUNTS.input[0]
  if (rest < 0) return new BadField(name, `must be at least ${cached}, which it includes`)
  if (stated !== undefined && stated.count !== rest)
    return new BadField(stated.name, `must be ${name} without ${cached}`)
  // Some senders that count cached tokens apart state a total without them.
  const short = (input?.count ?? 0) + (output?.count ?? 0)
  const whole = rest + (cacheRead?.count ?? 0) + (cacheWrite?.count ?? 0) + (output?.count ?? 0)
  if (total === undefined || total.count === whole || total.count === short) return undefined
  return new BadField(total.name, `must be the sum of ${name} and ${output?.name ?? 'the output tokens'}`)
}

/** Throws BadField if it is no count, or differs under two names. */
const countIn = (attributes: Attributes, names: readonly string[] = []): Counted | undefined => {
  let found: Counted | undefined
  for (const name of names) {
    const count = toCount(attributes.get(name), name)
    if (count === undefined) continue
    found ??= { name, count }
    if (found.count !== count) throw new BadField(name, `must equal ${found.name} if both are present`)
  }
  return found
}

/** Undefined if it is absent or empty, as some senders write what they do not know. Throws BadField. */
export const toCount = (value: AttributeValue | undefined, name: string): number | undefined => {
  if (value === undefined || value === '') return undefined
  const count = typeof value === 'string' && /^\d{1,16}$/.test(value) ? Number(value) : value
  if (typeof count === 'number' && Number.isSafeInteger(count) && count >= 0) return count + 0
  throw new BadField(name, `must be a whole number from 0 to ${Number.MAX_SAFE_INTEGER}`)
}
