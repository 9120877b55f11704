/** The tokens of a call, in kinds that do not overlap, from LiteLLM's counts, which follow OpenAI's. */
import { isJsonObject, type JsonObject } from '#formats/json-values.ts'
import { BadField } from '#intake/bad-field.ts'

/** As in a message. */
export type Usage = {
  readonly input_tokens: number
  readonly cache_read_tokens: number
  readonly cache_write_tokens: number
  readonly cache_write_1h_tokens: number
  readonly output_tokens: number
  readonly reasoning_tokens: number
}

const READ = ['prompt_tokens_details.cached_tokens', 'cache_read_input_tokens']
const WRITTEN = [
  'prompt_tokens_details.cache_creation_tokens',
  'prompt_tokens_details.cache_write_tokens',
  'cache_creation_input_tokens',
]
const WRITTEN_1H = ['prompt_tokens_details.cache_creation_token_details.ephemeral_1h_input_tokens']
const REASONING = ['completion_tokens_details.reasoning_tokens']

/**
 * Undefined if the call used none: LiteLLM writes 0 for what it does not know. Throws BadField, which names the count.
 *
 * `metadata.usage_object` has what the root has, and the cached tokens.
 */
export const usageOf = (entry: JsonObject): Usage | undefined => {
  const object = fieldIn(entry, 'metadata.usage_object')
  const isStated =
    isJsonObject(object) && (isPresent(object['prompt_tokens']) || isPresent(object['completion_tokens']))
  const counts = isStated ? object : entry
  const at = isStated ? 'metadata.usage_object.' : ''

  const count = (...names: readonly string[]): number => countIn(counts, names, at)
  const prompt = count('prompt_tokens')
  const completion = count('completion_tokens')
  const read = count(...READ)
  const written = count(...WRITTEN)
  const reasoning = count(...REASONING)
  const total = count('total_tokens')
  if (prompt + completion + read + written === 0) return undefined

  // The prompt includes what was read and written, unless it is less than that.
  const cached = prompt < read + written ? 0 : read + written
  // Grok's reasoning comes on top of its completion. Releases of LiteLLM that do not add it up state a total that does.
  const isApart = reasoning > 0 && total === prompt + completion + reasoning
  const output = completion + (isApart ? reasoning : 0)
  const input = prompt - cached
  const sums = [prompt + output, input + read + written + output]
  if (total > 0 && !sums.includes(total))
    throw new BadField(`${at}total_tokens`, `must be the sum of ${at}prompt_tokens and ${at}completion_tokens`)
  return {
    input_tokens: input,
    cache_read_tokens: read,
    cache_write_tokens: written,
    cache_write_1h_tokens: Math.min(count(...WRITTEN_1H), written),
    output_tokens: output,
    // Of some models, LiteLLM counts the reasoning itself, and may count more than the provider did for the whole answer.
    reasoning_tokens: reasoning > output ? 0 : reasoning,
  }
}

/** 0 if it is absent under all its names, of which some may say 0 for what another one knows. Throws BadField. */
const countIn = (counts: JsonObject, names: readonly string[], at: string): number => {
  let found: { readonly name: string; readonly count: number } | undefined
  for (const name of names) {
    const value = fieldIn(counts, name)
    if (!isPresent(value) || value === 0) continue
    if (!(Number.isSafeInteger(value) && (value as number) > 0))
      throw new BadField(`${at}${name}`, `must be a whole number from 0 to ${Number.MAX_SAFE_INTEGER}`)
    found ??= { name, count: value as number }
    if (found.count !== value) throw new BadField(`${at}${name}`, `must equal ${at}${found.name} if both are above 0`)
  }
  return found?.count ?? 0
}

/** The value at a path of names, or undefined. */
export const fieldIn = (entry: JsonObject, path: string): unknown => {
  let value: unknown = entry
  for (const name of path.split('.')) {
    if (!isJsonObject(value) || !Object.hasOwn(value, name)) return undefined
    value = value[name]
  }
  return value
}

const isPresent = (value: unknown): boolean => value !== undefined && value !== null
