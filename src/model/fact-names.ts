/** The facts that this service finds itself, as rate cards name them. Senders choose other names for quantities and attributes. */
export const FACT_NAMES = [
  'text',
  'characters',
  'words',
  'third_vowels',
  'any_words',
  'words_differ',
  'palindrome',
  'report',
  'report_credits',
  'model',
  'input_tokens',
  'cache_read_tokens',
  'cache_write_tokens',
  'output_tokens',
  'prompt_tokens',
  'total_tokens',
  'reasoning_tokens',
  'cache_write_1h_tokens',
  'outcome',
] as const

/** The names of quantities and attributes. */
export const NAME_PATTERN = '^[a-z][a-z0-9_]{0,62}$'
export const QUANTITIES_MAX = 32
export const ATTRIBUTES_MAX = 16

/** US$ × 10^9, as the provider of a model stated it: the one quantity that the service may add itself. */
export const PROVIDER_COST = 'provider_cost_nano_usd'
