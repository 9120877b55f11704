import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { TokenCounts } from '#model/facts.ts'
import { BadField } from './bad-field.ts'
import { OWN_COUNTS, readUsage, USAGE_FORMATS, type UsageFormatName } from './usage-formats.ts'

type Format = UsageFormatName | undefined

const tokens = (some: Partial<TokenCounts>): TokenCounts => ({
  input: 0,
  cacheRead: 0,
  cacheWrite: 0,
  output: 0,
  reasoning: 0,
  cacheWrite1h: 0,
  ...some,
})

/**
 * Usage objects. The first ones are literal, copied in 2026 from what is named beside them; those "as quoted" were read in copies
 * of the page that other projects keep. The others are made up, with the members that the vendor documents.
 */
const SEEN: readonly (readonly [what: string, Format, usage: object, Partial<TokenCounts>])[] = [
  [
    // The guide https://developers.openai.com/api/docs/guides/prompt-caching, as quoted.
    'OpenAI, Chat Completions, literal',
    'openai',
    {
      prompt_tokens: 2006,
      completion_tokens: 300,
      total_tokens: 2306,
      prompt_tokens_details: { cached_tokens: 1920 },
      completion_tokens_details: { reasoning_tokens: 0 },
    },
    { input: 86, cacheRead: 1920, output: 300 },
  ],
  [
    // The reference https://platform.openai.com/docs/api-reference/responses, as quoted.
    'OpenAI, Responses, literal',
    'openai',
    {
      input_tokens: 36,
      input_tokens_details: { cached_tokens: 0 },
      output_tokens: 87,
      output_tokens_details: { reasoning_tokens: 0 },
      total_tokens: 123,
    },
    { input: 36, output: 87 },
  ],
  [
    // https://docs.x.ai/developers/advanced-api-usage/prompt-caching/usage-and-pricing
    'xAI, Responses, which has the shape of OpenAI, literal',
    'openai',
    {
      input_tokens: 125,
      output_tokens: 48,
      total_tokens: 173,
      input_tokens_details: { cached_tokens: 98 },
      output_tokens_details: { reasoning_tokens: 0 },
    },
    { input: 27, cacheRead: 98, output: 48 },
  ],
  [
    // The guide https://platform.claude.com/docs/en/build-with-claude/prompt-caching, as quoted.
    'Anthropic, with a cache of one hour and one of five minutes, literal',
    'anthropic',
    {
      input_tokens: 2048,
      cache_read_input_tokens: 1800,
      cache_creation_input_tokens: 248,
      output_tokens: 503,
      cache_creation: { ephemeral_5m_input_tokens: 148, ephemeral_1h_input_tokens: 100 },
    },
    { input: 2048, cacheRead: 1800, cacheWrite: 248, output: 503, cacheWrite1h: 100 },
  ],
  [
    // https://firebase.google.com/docs/ai-logic/server-prompt-templates/get-started, as quoted.
    'Gemini, with thoughts, literal',
    'gemini',
    {
      promptTokenCount: 34,
      candidatesTokenCount: 418,
      totalTokenCount: 890,
      promptTokensDetails: [{ modality: 'TEXT', tokenCount: 34 }],
      thoughtsTokenCount: 438,
    },
    { input: 34, output: 856, reasoning: 438 },
  ],
  [
    // https://www.aihero.dev/workshops/ai-sdk-v5-crash-course/tracking-token-usage~2u9a4/solution
    'AI SDK 5, literal',
    'ai-sdk',
    {
      inputTokens: 13,
      outputTokens: 127,
      totalTokens: 140,
      reasoningTokens: undefined,
      cachedInputTokens: undefined,
    },
    { input: 13, output: 127 },
  ],
  [
    // The beginning of the object in https://github.com/pydantic/genai-prices/issues/334.
    'AI SDK 6, literal',
    'ai-sdk',
    {
      inputTokens: 4740,
      inputTokenDetails: { noCacheTokens: 5, cacheReadTokens: 0, cacheWriteTokens: 4735 },
      outputTokens: 255,
    },
    { input: 5, cacheWrite: 4735, output: 255 },
  ],
  [
    'OpenAI, with reasoning',
    'openai',
    {
      prompt_tokens: 1486,
      completion_tokens: 651,
      total_tokens: 2137,
      prompt_tokens_details: { cached_tokens: 1408, audio_tokens: 0 },
      completion_tokens_details: { reasoning_tokens: 512, accepted_prediction_tokens: 0 },
    },
    { input: 78, cacheRead: 1408, output: 651, reasoning: 512 },
  ],
  [
    'Anthropic, without caching',
    'anthropic',
    {
      input_tokens: 10,
      cache_creation_input_tokens: null,
      cache_read_input_tokens: null,
      cache_creation: null,
      output_tokens: 12,
      server_tool_use: { web_search_requests: 1 },
    },
    { input: 10, output: 12 },
  ],
  [
    'Anthropic, with the parts of what was cached and no total',
    'anthropic',
    { output_tokens: 1, cache_creation: { ephemeral_5m_input_tokens: 148, ephemeral_1h_input_tokens: 100 } },
    { cacheWrite: 248, cacheWrite1h: 100, output: 1 },
  ],
  [
    'Anthropic, with one part and nothing else',
    'anthropic',
    { cache_creation_input_tokens: null, cache_creation: { ephemeral_5m_input_tokens: 5 } },
    { cacheWrite: 5 },
  ],
  [
    'Anthropic, with a part that this service does not know',
    'anthropic',
    {
      cache_creation_input_tokens: 10,
      cache_creation: { ephemeral_1h_input_tokens: 4, ephemeral_24h_input_tokens: 6 },
    },
    { cacheWrite: 10, cacheWrite1h: 4 },
  ],
  [
    'Gemini, with thoughts, tools and a cache',
    'gemini',
    {
      promptTokenCount: 1000,
      cachedContentTokenCount: 400,
      candidatesTokenCount: 120,
      toolUsePromptTokenCount: 50,
      thoughtsTokenCount: 80,
      totalTokenCount: 1250,
      trafficType: 'ON_DEMAND',
    },
    { input: 650, cacheRead: 400, output: 200, reasoning: 80 },
  ],
  [
    'AI SDK 5, with its cache and its reasoning',
    'ai-sdk',
    { inputTokens: 13, outputTokens: 127, totalTokens: 140, reasoningTokens: 64, cachedInputTokens: 5 },
    { input: 8, cacheRead: 5, output: 127, reasoning: 64 },
  ],
  [
    'AI SDK 6, which repeats the names of version 5',
    'ai-sdk',
    {
      inputTokens: 2500,
      inputTokenDetails: { noCacheTokens: 300, cacheReadTokens: 2000, cacheWriteTokens: 200 },
      outputTokens: 90,
      outputTokenDetails: { textTokens: 60, reasoningTokens: 30 },
      totalTokens: 2590,
      cachedInputTokens: 2000,
      reasoningTokens: 30,
      raw: { anything: [1] },
    },
    { input: 300, cacheRead: 2000, cacheWrite: 200, output: 90, reasoning: 30 },
  ],
  ['an embedding of the AI SDK', 'ai-sdk', { tokens: 5000 }, { input: 5000 }],
  [
    "this service's own names",
    undefined,
    {
      input_tokens: 10,
      cache_read_tokens: 20,
      cache_write_tokens: 30,
      cache_write_1h_tokens: 30,
      output_tokens: 40,
      reasoning_tokens: 40,
    },
    { input: 10, cacheRead: 20, cacheWrite: 30, output: 40, reasoning: 40, cacheWrite1h: 30 },
  ],
  ['null details', 'openai', { prompt_tokens: 5, prompt_tokens_details: null, completion_tokens: null }, { input: 5 }],
  ['only zeros', 'openai', { prompt_tokens: 0, completion_tokens: 0, total_tokens: 0 }, {}],
  ['both spellings, equal', 'openai', { prompt_tokens: 5, input_tokens: 5, output_tokens: 1 }, { input: 5, output: 1 }],
  ['one count of several', undefined, { output_tokens: 7 }, { output: 7 }],
  ['minus zero', undefined, { input_tokens: -0, cache_read_tokens: -0, reasoning_tokens: -0 }, {}],
]

for (const [what, format, usage, expected] of SEEN) {
  test(`usage is made disjoint: ${what}`, () => {
    assert.deepEqual(readUsage(usage, format), { tokens: tokens(expected) })
  })
}

/** The field, without `usage.`, and what its reason says. */
const REFUSED: readonly (readonly [Format, usage: unknown, field: string, reason: RegExp])[] = [
  [undefined, {}, '', /at least one of input_tokens/],
  [undefined, { input_tokens: null }, '', /at least one of/],
  ['openai', { promptTokenCount: 5 }, '', /at least one of prompt_tokens, input_tokens/],
  [undefined, [], '', /an object/],
  ['openai', 7, '', /an object/],
  [undefined, { input_tokens: 1, total_tokens: 1 }, 'total_tokens', /absent: usage has input_tokens/],
  [undefined, { ['x'.repeat(51)]: 1 }, 'x'.repeat(50), /absent: usage has input_tokens/],
  [undefined, { input_tokens: 1.5 }, 'input_tokens', /a whole number from 0/],
  [undefined, { input_tokens: -1 }, 'input_tokens', /a whole number from 0/],
  [undefined, { input_tokens: '1' }, 'input_tokens', /a whole number from 0/],
  [undefined, { input_tokens: 2 ** 53 }, 'input_tokens', /a whole number from 0/],
  [undefined, { input_tokens: 2 ** 52, output_tokens: 2 ** 52 }, '', /at most 9007199254740991 tokens/],
  [undefined, { output_tokens: 1, reasoning_tokens: 2 }, 'reasoning_tokens', /at most output_tokens/],
  [
    undefined,
    { cache_write_tokens: 1, cache_write_1h_tokens: 2 },
    'cache_write_1h_tokens',
    /at most cache_write_tokens/,
  ],
  [
    'openai',
    { prompt_tokens: 5, prompt_tokens_details: { cached_tokens: 6 } },
    'prompt_tokens',
    /at least prompt_tokens_details.cached_tokens, which it includes/,
  ],
  [
    'openai',
    { prompt_tokens: 5, prompt_tokens_details: { cached_tokens: 'x' } },
    'prompt_tokens_details.cached_tokens',
    /a whole number/,
  ],
  ['openai', { prompt_tokens: 5, prompt_tokens_details: [] }, 'prompt_tokens_details', /an object/],
  ['openai', { prompt_tokens: 5, input_tokens: 6 }, 'input_tokens', /equal prompt_tokens if both/],
  [
    'openai',
    { completion_tokens: 5, output_tokens_details: { reasoning_tokens: 6 } },
    'output_tokens_details.reasoning_tokens',
    /at most completion_tokens/,
  ],
  // Gemini's OpenAI-compatible endpoint leaves thoughts out of completion_tokens.
  [
    'openai',
    { completion_tokens: 102, prompt_tokens: 758, total_tokens: 1725 },
    'total_tokens',
    /the sum of prompt_tokens and completion_tokens/,
  ],
  [
    'gemini',
    { promptTokenCount: 5, cachedContentTokenCount: 6 },
    'promptTokenCount',
    /at least cachedContentTokenCount/,
  ],
  [
    'gemini',
    { promptTokenCount: 5, candidatesTokenCount: 5, thoughtsTokenCount: 2, totalTokenCount: 10 },
    'totalTokenCount',
    /the sum of promptTokenCount, candidatesTokenCount and thoughtsTokenCount/,
  ],
  [
    'anthropic',
    { cache_creation_input_tokens: 5, cache_creation: { ephemeral_1h_input_tokens: 6 } },
    'cache_creation.ephemeral_1h_input_tokens',
    /at most cache_creation_input_tokens/,
  ],
  [
    'ai-sdk',
    { inputTokens: 10, inputTokenDetails: { noCacheTokens: 9, cacheReadTokens: 2, cacheWriteTokens: 1 } },
    'inputTokenDetails.noCacheTokens',
    /inputTokens without inputTokenDetails.cacheReadTokens and inputTokenDetails.cacheWriteTokens/,
  ],
  [
    'ai-sdk',
    { inputTokens: 10, cachedInputTokens: 1, inputTokenDetails: { cacheReadTokens: 2 } },
    'cachedInputTokens',
    /equal inputTokenDetails.cacheReadTokens/,
  ],
  [
    'anthropic',
    {
      cache_creation_input_tokens: 9,
      cache_creation: { ephemeral_5m_input_tokens: 6, ephemeral_1h_input_tokens: 4 },
    },
    'cache_creation_input_tokens',
    /at least the sum of cache_creation.ephemeral_5m_input_tokens and cache_creation.ephemeral_1h_input_tokens/,
  ],
  [
    'anthropic',
    { cache_creation_input_tokens: 0, cache_creation: { ephemeral_5m_input_tokens: 1 } },
    'cache_creation_input_tokens',
    /at least the sum of cache_creation.ephemeral_5m_input_tokens/,
  ],
  [
    'anthropic',
    { output_tokens: 1, cache_creation: { ephemeral_5m_input_tokens: 2 ** 52, ephemeral_1h_input_tokens: 2 ** 52 } },
    '',
    /at most 9007199254740991 tokens/,
  ],
  [
    'anthropic',
    { output_tokens: 1, cache_creation: { ephemeral_5m_input_tokens: -1 } },
    'cache_creation.ephemeral_5m_input_tokens',
    /a whole number/,
  ],
  ['ai-sdk', { inputTokens: { total: 5 } }, 'inputTokens', /a whole number/],
  ['gemini', { totalTokenCount: 5 }, '', /, candidatesTokenCount, thoughtsTokenCount$/],
  [
    'openrouter',
    { prompt_tokens: 5, prompt_tokens_details: { cached_tokens: 3, cache_write_tokens: 3 } },
    'prompt_tokens',
    /at least prompt_tokens_details.cached_tokens and prompt_tokens_details.cache_write_tokens/,
  ],
  ['openrouter', { prompt_tokens: 5, cost: -1 }, 'cost', /a number of US\$ from 0/],
  ['openrouter', { prompt_tokens: 5, cost: 9_000_000 }, 'cost', /a number of US\$ from 0 to below 9000000/],
  ['openrouter', { prompt_tokens: 5, cost: 1e10 }, 'cost', /a number of US\$ from 0/],
  ['openrouter', { prompt_tokens: 5, cost: '1' }, 'cost', /a number of US\$ from 0/],
]

for (const [format, usage, field, reason] of REFUSED) {
  test(`usage is refused: ${format ?? 'own'} ${JSON.stringify(usage)}`, () => {
    assert.throws(
      () => readUsage(usage, format),
      (error) => {
        assert.ok(error instanceof BadField, String(error))
        assert.equal(error.field, field === '' ? 'usage' : `usage.${field}`)
        assert.match(error.reason, /^must /)
        assert.match(error.reason, reason)
        return true
      },
    )
  })
}

test("the cost that OpenRouter states becomes whole billionths of a dollar, from the number's digits", () => {
  const costs: readonly (readonly [cost: number | null, nano: number | undefined])[] = [
    [0.95, 950_000_000],
    [0, 0],
    [0.00014, 140_000],
    [1.005, 1_005_000_000],
    [1.5e-7, 150],
    [5e-10, 0],
    [1.5e-9, 2],
    [2.5e-9, 2],
    [2.5000001e-9, 3],
    [0.1234567895, 123_456_790],
    [0.1234567885, 123_456_788],
    [5e-324, 0],
    [1.2345678901234567e-30, 0],
    [8_999_999.12345679, 8_999_999_123_456_790],
    [null, undefined],
  ]
  for (const [cost, nano] of costs) {
    assert.equal(readUsage({ prompt_tokens: 1, cost }, 'openrouter').costNanoUsd, nano, String(cost))
  }
  assert.equal(readUsage({ prompt_tokens: 1, cost: 5 }, 'openai').costNanoUsd, undefined)
  // Literal, from https://openrouter.ai/docs/use-cases/usage-accounting.
  const literal = {
    completion_tokens: 2,
    completion_tokens_details: { reasoning_tokens: 0 },
    cost: 0.95,
    cost_details: { upstream_inference_cost: 19 },
    prompt_tokens: 194,
    prompt_tokens_details: { cached_tokens: 0, cache_write_tokens: 100, audio_tokens: 0 },
    total_tokens: 196,
  }
  assert.deepEqual(readUsage(literal, 'openrouter'), {
    tokens: tokens({ input: 94, cacheWrite: 100, output: 2 }),
    costNanoUsd: 950_000_000,
  })
})

const NAMES = [
  ...OWN_COUNTS,
  ...['prompt_tokens', 'completion_tokens', 'total_tokens', 'cached_tokens', 'reasoning_tokens', 'cost'],
  ...['prompt_tokens_details', 'input_tokens_details', 'completion_tokens_details', 'cache_write_tokens'],
  ...['promptTokenCount', 'cachedContentTokenCount', 'candidatesTokenCount', 'thoughtsTokenCount', 'totalTokenCount'],
  ...['inputTokens', 'inputTokenDetails', 'noCacheTokens', 'cacheReadTokens', 'outputTokens', 'totalTokens'],
  ...[
    'cache_creation',
    'ephemeral_1h_input_tokens',
    'ephemeral_5m_input_tokens',
    'cache_creation_input_tokens',
    'constructor',
    '__proto__',
  ],
]

test('whatever a usage object holds, it is refused by name or read as disjoint counts that add up', () => {
  const value = fc.letrec((tie) => ({
    any: fc.oneof(
      { depthSize: 'small' },
      fc.nat(50),
      fc.jsonValue(),
      fc.double(),
      fc.constantFrom(null, undefined, -0, 2 ** 53, 0),
      fc.dictionary(fc.constantFrom(...NAMES), tie('any')),
    ),
  })).any
  const format = fc.constantFrom(undefined, ...USAGE_FORMATS)
  const usage = fc.oneof(value, fc.dictionary(fc.constantFrom(...NAMES), fc.oneof(fc.nat(50), value)))
  fc.assert(
    fc.property(usage, format, (each, name) => {
      try {
        const { tokens: read, costNanoUsd = 0 } = readUsage(each, name)
        for (const count of [...Object.values(read), costNanoUsd]) assert.ok(Number.isSafeInteger(count) && count >= 0)
        assert.ok(read.reasoning <= read.output && read.cacheWrite1h <= read.cacheWrite)
      } catch (error) {
        assert.ok(error instanceof BadField, String(error))
      }
    }),
    { numRuns: 2000 },
  )
})
