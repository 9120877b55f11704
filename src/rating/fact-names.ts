/** The facts that rate cards can name. Any other name is that of a quantity or an attribute, which senders choose. */

export type FactType = 'count' | 'flag' | 'name'

/** Every fact whose name has a meaning of its own, and what its values are. */
export const FACTS = {
  text: 'flag',
  characters: 'count',
  words: 'count',
  third_vowels: 'count',
  any_words: 'flag',
  words_differ: 'flag',
  palindrome: 'flag',
  report: 'flag',
  report_credits: 'count',
  model: 'name',
  input_tokens: 'count',
  cache_read_tokens: 'count',
  cache_write_tokens: 'count',
  output_tokens: 'count',
  prompt_tokens: 'count',
  total_tokens: 'count',
  reasoning_tokens: 'count',
  cache_write_1h_tokens: 'count',
  outcome: 'name',
} as const satisfies Readonly<Record<string, FactType>>

export type FactName = keyof typeof FACTS

export const isFactName = (name: string): name is FactName => Object.hasOwn(FACTS, name)

/** The disjoint kinds of tokens. */
export const TOKEN_KINDS = ['input_tokens', 'cache_read_tokens', 'cache_write_tokens', 'output_tokens'] as const
export type TokenKind = (typeof TOKEN_KINDS)[number]

/** The kinds that a line of this fact prices. A part, such as `reasoning_tokens`, costs something on top of its kind. */
export const kindsReached = (name: string): readonly TokenKind[] => {
  if (name === 'total_tokens') return TOKEN_KINDS
  if (name === 'prompt_tokens') return ['input_tokens', 'cache_read_tokens', 'cache_write_tokens']
  return TOKEN_KINDS.filter((kind) => kind === name)
}

/** What names of quantities and attributes look like. */
export const NAME_PATTERN = /^[a-z][a-z0-9_]{0,62}$/
