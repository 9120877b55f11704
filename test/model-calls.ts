/** A rate card by tokens, and models that answer without a provider, for tests that report calls of models. */
import { simulateReadableStream } from 'ai'
import { MockEmbeddingModelV4, MockLanguageModelV4 } from 'ai/test'
import { type Client, createClient, type RateCard } from '../client/src/index.ts'
import type { Running } from './harness.ts'

type Result = Awaited<ReturnType<MockLanguageModelV4['doGenerate']>>
type Usage = Result['usage']
type Streamed = Awaited<ReturnType<MockLanguageModelV4['doStream']>>
type Part = Streamed['stream'] extends ReadableStream<infer Each> ? Each : never

/** Occurs in every text that providers get and give. */
export const CANARY = 'canary-7f3a'

/** Credits for a million tokens. */
const CARD: RateCard = {
  version: 'by-token',
  prices: {
    'gpt-5.4': [{ input: 250, cache_read: 25, cache_write: 312.5, output: 1500 }],
    'claude-sonnet-4-6': [{ input: 300, cache_read: 30, cache_write: 375, output: 1500 }],
    'text-embedding-3-small': [{ input: 2 }],
  },
  cases: [
    {
      name: 'tokens',
      when: { model: '*' },
      lines: ['input', 'cache_read', 'cache_write', 'output'].map((kind) => {
        return { rule: kind.replace('_', '-'), of: `${kind}_tokens`, per: 1_000_000, price: kind }
      }),
    },
  ],
}

/** A client of a service that charges by tokens. */
export const meteringClient = async (service: Running): Promise<Client> => {
  const client = createClient({ baseUrl: service.url })
  await client.storeRateCard(CARD)
  await client.useDefaultRateCard({ version: 'by-token', from: '2024-01-01T00:00:00Z' })
  return client
}

/** 300 × 250 + 1,000 × 25 + 200 × 312.5 + 50 × 1,500 = 237,500 micro-credits. */
export const CACHED: Usage = {
  inputTokens: { total: 1500, noCache: 300, cacheRead: 1000, cacheWrite: 200 },
  outputTokens: { total: 50, text: 30, reasoning: 20 },
  raw: { [CANARY]: 1, note: CANARY },
}
export const CACHED_CREDITS = 0.2375

/** 1,600 × 250 + 100 × 1,500 = 550,000 micro-credits. */
export const PLAIN: Usage = {
  inputTokens: { total: 1600, noCache: 1600, cacheRead: 0, cacheWrite: undefined },
  outputTokens: { total: 100, text: 100, reasoning: undefined },
}
export const PLAIN_CREDITS = 0.55

const UNKNOWN: Usage = {
  inputTokens: { total: undefined, noCache: undefined, cacheRead: undefined, cacheWrite: undefined },
  outputTokens: { total: undefined, text: undefined, reasoning: undefined },
}

type Reply = Pick<Result, 'content' | 'usage'> & {
  readonly reason?: 'stop' | 'tool-calls' | 'error'
}

export const spoken = (usage: Usage = UNKNOWN, text = CANARY): Reply => ({
  content: [{ type: 'text', text }],
  usage,
})

/** Calls the tool `search`. */
export const calling = (usage: Usage): Reply => ({
  content: [{ type: 'tool-call', toolCallId: 'call-1', toolName: 'search', input: `{"query":"${CANARY}"}` }],
  usage,
  reason: 'tool-calls',
})

/** Asked for `gpt-5.4-latest`, and answered by `gpt-5.4`. */
export const modelOf = (...replies: readonly Reply[]): MockLanguageModelV4 => {
  const results = replies.map(({ content, usage, reason = 'stop' }, index) => ({
    content,
    usage,
    finishReason: { unified: reason, raw: reason },
    response: { id: `resp-${index}`, modelId: 'gpt-5.4', timestamp: new Date() },
    warnings: [],
  }))
  return new MockLanguageModelV4({
    modelId: 'gpt-5.4-latest',
    doGenerate: results,
    doStream: results.map((result) => ({ stream: simulateReadableStream({ chunks: partsOf(result) }) })),
  })
}

const partsOf = ({ content, finishReason, usage, response }: Result): Part[] => [
  { type: 'stream-start', warnings: [] },
  { type: 'response-metadata', ...response },
  ...content.flatMap((part): Part[] =>
    part.type === 'text'
      ? [
          { type: 'text-start', id: '1' },
          { type: 'text-delta', id: '1', delta: part.text },
          { type: 'text-end', id: '1' },
        ]
      : [part as Part],
  ),
  { type: 'finish', finishReason, usage },
]

/** Two values a call. 5,000 × 2 = 10,000 micro-credits. */
export const embeddingModel = (tokens: number | undefined = 5000): MockEmbeddingModelV4 =>
  new MockEmbeddingModelV4({
    modelId: 'text-embedding-3-small',
    maxEmbeddingsPerCall: 2,
    doEmbed: async ({ values }) => ({
      embeddings: values.map(() => [0.1]),
      ...(tokens !== undefined && { usage: { tokens } }),
      warnings: [],
    }),
  })
export const EMBEDDING_CREDITS = 0.01
