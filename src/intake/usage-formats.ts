/**
 * What a message says about tokens, as disjoint kinds. Vendors disagree on what a prompt includes: most count cached tokens in
 * it, Anthropic does not. This table is the only place that knows.
 */
import type { TokenCounts } from '#model/facts.ts'
import { BadField } from './bad-field.ts'

/** A count, by each path under which a vendor's object may have it. */
type Member = readonly string[]

type UsageFormat = {
  /** Added up. */
  readonly input: readonly Member[]
  /** Whether `input` counts the tokens that are read from a cache and written to one. */
  readonly isCacheInInput: boolean
  readonly cacheRead?: Member
  readonly cacheWrite?: Member
  /** Of `cacheWrite`, which is at least their sum, and is their sum if it is absent. */
  readonly cacheWriteParts?: readonly Member[]
  /** Of `cacheWrite`. */
  readonly cacheWrite1h?: Member
  /** Added up. */
  readonly output: readonly Member[]
  /** Of `output`. */
  readonly reasoning?: Member
  /** If stated: `input` without what was read and written. */
  readonly uncached?: Member
  /** If stated: all input and all output. */
  readonly total?: Member
  /** US$. */
  readonly cost?: Member
}

const OPENAI: UsageFormat = {
  input: [['prompt_tokens', 'input_tokens']],
  isCacheInInput: true,
  cacheRead: ['prompt_tokens_details.cached_tokens', 'input_tokens_details.cached_tokens'],
  output: [['completion_tokens', 'output_tokens']],
  reasoning: ['completion_tokens_details.reasoning_tokens', 'output_tokens_details.reasoning_tokens'],
  total: ['total_tokens'],
}

const FORMATS = {
  openai: OPENAI,
  anthropic: {
    input: [['input_tokens']],
    isCacheInInput: false,
    cacheRead: ['cache_read_input_tokens'],
    cacheWrite: ['cache_creation_input_tokens'],
    cacheWriteParts: [['cache_creation.ephemeral_5m_input_tokens'], ['cache_creation.ephemeral_1h_input_tokens']],
    cacheWrite1h: ['cache_creation.ephemeral_1h_input_tokens'],
    output: [['output_tokens']],
  },
  gemini: {
    input: [['promptTokenCount'], ['toolUsePromptTokenCount']],
    isCacheInInput: true,
    cacheRead: ['cachedContentTokenCount'],
    output: [['candidatesTokenCount'], ['thoughtsTokenCount']],
    reasoning: ['thoughtsTokenCount'],
    total: ['totalTokenCount'],
  },
  /** Version 5 has the flat names, an embedding has `tokens`. */
  'ai-sdk': {
    input: [['inputTokens', 'tokens']],
    isCacheInInput: true,
    cacheRead: ['inputTokenDetails.cacheReadTokens', 'cachedInputTokens'],
    cacheWrite: ['inputTokenDetails.cacheWriteTokens'],
    uncached: ['inputTokenDetails.noCacheTokens'],
    output: [['outputTokens']],
    reasoning: ['outputTokenDetails.reasoningTokens', 'reasoningTokens'],
    total: ['totalTokens'],
  },
  openrouter: {
    ...OPENAI,
    cacheWrite: ['prompt_tokens_details.cache_write_tokens', 'input_tokens_details.cache_write_tokens'],
    cost: ['cost'],
  },
} as const satisfies Record<string, UsageFormat>

/** The service's own names. Unlike a vendor's object, it has nothing else. */
const OWN: UsageFormat = {
  input: [['input_tokens']],
  isCacheInInput: false,
  cacheRead: ['cache_read_tokens'],
  cacheWrite: ['cache_write_tokens'],
  cacheWrite1h: ['cache_write_1h_tokens'],
  output: [['output_tokens']],
  reasoning: ['reasoning_tokens'],
}

/** All counts that make up a kind of tokens, or a part of one. */
const membersOf = (format: UsageFormat): readonly Member[] => {
  const { input, cacheRead, cacheWrite, cacheWriteParts = [], output, reasoning, cacheWrite1h } = format
  const all = [...input, cacheRead, cacheWrite, ...cacheWriteParts, ...output, reasoning, cacheWrite1h]
  return [...new Set(all.filter((each) => each !== undefined))]
}

export const OWN_COUNTS = membersOf(OWN).flat()

/** By the name of the format. */
const MEMBERS: ReadonlyMap<string | undefined, ReadonlySet<string>> = new Map(
  [[undefined, OWN] as const, ...Object.entries<UsageFormat>(FORMATS)].map(([name, format]) => {
    const others = [format.uncached, format.total, format.cost].flatMap((member) => member ?? [])
    return [name, new Set([...membersOf(format).flat(), ...others])]
  }),
)

/** Whether any format has this member, such as `prompt_tokens_details.cached_tokens`. */
export const isUsageMember = (path: string): boolean => [...MEMBERS.values()].some((members) => members.has(path))

/** Whether the format reads this member. Others are ignored, or refused if there is no format. */
export const isReadAs = (format: string | undefined, path: string): boolean => MEMBERS.get(format)?.has(path) === true

export const USAGE_FORMATS = Object.keys(FORMATS) as readonly UsageFormatName[]
export type UsageFormatName = keyof typeof FORMATS

export type Usage = {
  readonly tokens: TokenCounts
  /** What the provider charged: US$ × 10^9. */
  readonly costNanoUsd?: number
}

/** Reads a usage object, the service's own if there is no format. Throws BadField. */
export const readUsage = (usage: unknown, name: UsageFormatName | undefined): Usage => {
  if (!isObject(usage)) throw new BadField('usage', `must be ${USAGE}`)
  const format: UsageFormat = name === undefined ? OWN : FORMATS[name]
  if (name === undefined) refuseUnknown(usage)
  if (membersOf(format).every((member) => countOf(usage, member) === undefined)) {
    const names = new Set(membersOf(format).flat())
    throw new BadField('usage', `must have at least one of ${[...names].join(', ')}`)
  }
  const tokens = toTokens(usage, format)
  const cost = format.cost === undefined ? undefined : foundIn(usage, format.cost)
  return cost === undefined ? { tokens } : { tokens, costNanoUsd: toNanoUsd(cost.value, `usage.${cost.path}`) }
}

const toTokens = (usage: object, format: UsageFormat): TokenCounts => {
  const { cacheRead, cacheWrite, cacheWriteParts = [], cacheWrite1h, reasoning, uncached, total } = format
  const writtenInParts = sumOf(usage, cacheWriteParts)
  const counted = {
    input: sumOf(usage, format.input),
    cacheRead: numberOf(usage, cacheRead),
    cacheWrite: countOf(usage, cacheWrite) ?? writtenInParts,
    output: sumOf(usage, format.output),
    reasoning: numberOf(usage, reasoning),
    cacheWrite1h: numberOf(usage, cacheWrite1h),
  }
  const cached = format.isCacheInInput ? counted.cacheRead + counted.cacheWrite : 0
  const tokens = { ...counted, input: counted.input - cached }
  const named = (...members: readonly (Member | undefined)[]): string => namesOf(usage, members)
  const refuse = (member: Member | undefined, reason: string): never => {
    throw new BadField(`usage.${named(member)}`, reason)
  }
  if (tokens.input < 0) refuse(format.input[0], `must be at least ${named(cacheRead, cacheWrite)}, which it includes`)
  if (tokens.reasoning > tokens.output) refuse(reasoning, `must be at most ${named(...format.output)}`)
  if (tokens.cacheWrite1h > tokens.cacheWrite) refuse(cacheWrite1h, `must be at most ${named(cacheWrite)}`)
  if (writtenInParts > tokens.cacheWrite) {
    refuse(cacheWrite, `must be at least the sum of ${named(...cacheWriteParts)}`)
  }
  if ((countOf(usage, uncached) ?? tokens.input) !== tokens.input) {
    refuse(uncached, `must be ${named(...format.input)} without ${named(cacheRead, cacheWrite)}`)
  }
  const sum = tokens.input + tokens.cacheRead + tokens.cacheWrite + tokens.output
  if (!Number.isSafeInteger(sum))
    throw new BadField('usage', `must be at most ${Number.MAX_SAFE_INTEGER} tokens in all`)
  if ((countOf(usage, total) ?? sum) !== sum) {
    refuse(total, `must be the sum of ${named(...format.input, ...format.output)}`)
  }
  return tokens
}

const refuseUnknown = (usage: object): void => {
  const unknown = Object.keys(usage).find((name) => !OWN_COUNTS.includes(name))
  if (unknown === undefined) return
  const known = `usage has ${OWN_COUNTS.join(', ')}, or another shape if usage_format names it`
  throw new BadField(`usage.${unknown.slice(0, NAME_SHOWN_MAX)}`, `must be absent: ${known}`)
}

const NAME_SHOWN_MAX = 50
const USAGE = 'an object of token counts'
const COUNT = `a whole number from 0 to ${Number.MAX_SAFE_INTEGER}`

const sumOf = (usage: object, members: readonly Member[]): number =>
  members.reduce((sum, member) => sum + numberOf(usage, member), 0)

const numberOf = (usage: object, member: Member | undefined): number => countOf(usage, member) ?? 0

/** Undefined if it is absent under all its names. */
const countOf = (usage: object, member: Member | undefined): number | undefined => {
  const found = member && foundIn(usage, member)
  if (found === undefined) return undefined
  const { path, value } = found
  if (!(Number.isSafeInteger(value) && (value as number) >= 0)) throw new BadField(`usage.${path}`, `must be ${COUNT}`)
  return (value as number) + 0
}

type Found = { readonly path: string; readonly value: unknown }

/** The value of a member, and the name under which it was found. Throws BadField if another name has another value. */
const foundIn = (usage: object, member: Member): Found | undefined => {
  let first: Found | undefined
  for (const path of member) {
    const value = valueAt(usage, path)
    if (value === undefined || value === null) continue
    first ??= { path, value }
    if (value !== first.value) throw new BadField(`usage.${path}`, `must equal ${first.path} if both are present`)
  }
  return first
}

const valueAt = (usage: object, path: string): unknown => {
  const [name = '', inner] = path.split('.')
  const value = (usage as Readonly<Record<string, unknown>>)[name]
  if (inner === undefined || value === undefined || value === null) return value
  if (!isObject(value)) throw new BadField(`usage.${name}`, 'must be an object')
  return (value as Readonly<Record<string, unknown>>)[inner]
}

const isObject = (value: unknown): value is object =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** The names of members as the object has them, `a, b and c`. Those that it lacks go without saying, unless it lacks all. */
const namesOf = (usage: object, members: readonly (Member | undefined)[]): string => {
  const known = members.filter((each) => each !== undefined)
  const found = known.flatMap((member) => foundIn(usage, member)?.path ?? [])
  const names = found.length > 0 ? found : known.map(([first = '']) => first)
  return names.length < 2 ? names.join('') : `${names.slice(0, -1).join(', ')} and ${names.at(-1)}`
}

const toNanoUsd = (cost: unknown, field: string): number => {
  const nano = typeof cost === 'number' ? nanoUsdOf(cost) : undefined
  if (nano === undefined) throw new BadField(field, `must be a number of US$ from 0 to below ${COST_MAX}`)
  return nano
}

/**
 * US$ × 10^9, read from the shortest digits of the number and rounded once, half to even. Undefined unless the amount is from 0 to
 * below 9 million.
 */
export const nanoUsdOf = (cost: number): number | undefined => {
  const nano = cost >= 0 && cost < COST_MAX ? nanosOf(String(cost)) : Number.NaN
  return Number.isSafeInteger(nano) ? nano : undefined
}

/** About 2^53 × 10^-9. */
const COST_MAX = 9_000_000

/** `1.2e-7` and `0.95` are digits and a power of ten. */
const nanosOf = (decimal: string): number => {
  const [, whole = '', fraction = '', exponent = '0'] = /^(\d+)(?:\.(\d+))?(?:e([+-]\d+))?$/.exec(decimal) ?? []
  const digits = BigInt(whole + fraction)
  const power = Number(exponent) - fraction.length + 9
  if (power >= 0) return Number(digits * 10n ** BigInt(power))
  // Nothing below 10^-30 can round to a billionth.
  const unit = 10n ** BigInt(Math.min(-power, 30))
  const [quotient, rest] = [digits / unit, (digits % unit) * 2n]
  const isUp = rest > unit || (rest === unit && quotient % 2n === 1n)
  return Number(quotient + (isUp ? 1n : 0n))
}
