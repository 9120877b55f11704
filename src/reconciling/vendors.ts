/**
 * Whose files are read, and which columns of them. GitHub's are those of its usage reports: premium requests (2025), the preview of
 * AI credits beside them (spring 2026) and AI credits (since June 2026). OpenRouter's are those of the activity export, with a row
 * per generation, and of its API, with a row per day and model.
 */

export const VENDORS = ['github', 'openrouter', 'csv'] as const
export type VendorName = (typeof VENDORS)[number]

/** What a column says. Amounts are in US dollars, and `credits` in credits. */
export const FIELDS = [
  'date',
  'user',
  'model',
  'amount_usd',
  'credits',
  'quantity',
  'unit',
  'rate_usd',
  'requests',
  'input_tokens',
  'cache_read_tokens',
  'cache_write_tokens',
  'output_tokens',
  'preview_credits',
  'preview_amount_usd',
  'id',
] as const
export type Field = (typeof FIELDS)[number]

export type Vendor = {
  /** Within a sentence. */
  readonly title: string
  /** The names of columns, in lower case, with `_` between words; the first that a file has counts. */
  readonly columns: Readonly<Partial<Record<Field, readonly string[]>>>
  /** A file needs one of each. */
  readonly needed: readonly (readonly Field[])[]
  /** If every row is different, a row that repeats another was copied. */
  readonly hasDistinctRows: boolean
  /** Whether a row without a count is one request. */
  readonly hasRowPerRequest: boolean
}

const GITHUB: Vendor = {
  title: 'GitHub',
  columns: {
    date: ['date', 'timestamp', 'usage_at'],
    user: ['username', 'user'],
    model: ['model'],
    quantity: ['quantity', 'requests_used'],
    unit: ['unit_type'],
    rate_usd: ['applied_cost_per_quantity'],
    amount_usd: ['gross_amount'],
    preview_credits: ['aic_quantity'],
    preview_amount_usd: ['aic_gross_amount'],
    input_tokens: ['input'],
    cache_read_tokens: ['cache_read'],
    cache_write_tokens: ['cache_write'],
    output_tokens: ['output'],
  },
  needed: [['date'], ['quantity']],
  hasDistinctRows: true,
  hasRowPerRequest: false,
}

const OPENROUTER: Vendor = {
  title: 'OpenRouter',
  columns: {
    date: ['created_at', 'date'],
    user: ['user'],
    model: ['model_permaslug', 'model'],
    amount_usd: ['cost_total', 'usage'],
    requests: ['requests'],
    input_tokens: ['tokens_prompt', 'prompt_tokens'],
    cache_read_tokens: ['tokens_cached'],
    output_tokens: ['tokens_completion', 'completion_tokens'],
    id: ['generation_id'],
  },
  needed: [['date'], ['amount_usd']],
  hasDistinctRows: true,
  hasRowPerRequest: true,
}

const ANY: Vendor = {
  title: 'the file',
  columns: {
    date: ['date'],
    user: ['user'],
    model: ['model'],
    amount_usd: ['amount_usd'],
    credits: ['credits'],
    requests: ['requests'],
    input_tokens: ['input_tokens'],
    cache_read_tokens: ['cache_read_tokens'],
    cache_write_tokens: ['cache_write_tokens'],
    output_tokens: ['output_tokens'],
    id: ['id'],
  },
  needed: [['date'], ['amount_usd', 'credits']],
  hasDistinctRows: false,
  hasRowPerRequest: false,
}

export const vendorOf: Readonly<Record<VendorName, Vendor>> = { github: GITHUB, openrouter: OPENROUTER, csv: ANY }

/** GitHub's list price of a premium request, for reports that have no amounts. */
export const PREMIUM_REQUEST_USD = '0.04'
