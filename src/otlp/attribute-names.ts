/** The attributes that are read, by what they say. Of a list, the first that is present counts, unless the list says otherwise. */

/** Names under which senders have the same count. Two that differ reject the call: to choose one would be to guess the bill. */
export const COUNTS = {
  input: [
    'gen_ai.usage.input_tokens',
    'gen_ai.usage.prompt_tokens',
    'ai.usage.inputTokens',
    'ai.usage.promptTokens',
    'ai.usage.tokens',
    'llm.usage.prompt_tokens',
    'llm.token_count.prompt',
  ],
  cacheRead: [
    'gen_ai.usage.cache_read.input_tokens',
    'gen_ai.usage.cache_read_input_tokens',
    'gen_ai.usage.input_tokens.cached',
    'gen_ai.usage.details.cache_read_tokens',
    'ai.usage.inputTokenDetails.cacheReadTokens',
    'ai.usage.cachedInputTokens',
    'llm.usage.cache_read_input_tokens',
    'llm.token_count.prompt_details.cache_read',
  ],
  cacheWrite: [
    'gen_ai.usage.cache_creation.input_tokens',
    'gen_ai.usage.cache_creation_input_tokens',
    'gen_ai.usage.cache_write.input_tokens',
    'gen_ai.usage.cache_write_input_tokens',
    'gen_ai.usage.input_tokens.cache_write',
    'gen_ai.usage.input_tokens.cache_creation',
    'gen_ai.usage.details.cache_write_tokens',
    'ai.usage.inputTokenDetails.cacheWriteTokens',
    'llm.usage.cache_creation_input_tokens',
    'llm.token_count.prompt_details.cache_write',
  ],
  output: [
    'gen_ai.usage.output_tokens',
    'gen_ai.usage.completion_tokens',
    'ai.usage.outputTokens',
    'ai.usage.completionTokens',
    'llm.usage.completion_tokens',
    'llm.token_count.completion',
  ],
  reasoning: [
    'gen_ai.usage.reasoning.output_tokens',
    'gen_ai.usage.reasoning_output_tokens',
    'gen_ai.usage.reasoning_tokens',
    'gen_ai.usage.output_tokens.reasoning',
    'gen_ai.usage.details.reasoning_tokens',
    'ai.usage.outputTokenDetails.reasoningTokens',
    'ai.usage.reasoningTokens',
    'llm.usage.reasoning_tokens',
    'llm.token_count.completion_details.reasoning',
  ],
  total: ['gen_ai.usage.total_tokens', 'ai.usage.totalTokens', 'llm.usage.total_tokens', 'llm.token_count.total'],
  /** Input without what was read from a cache and written to one. */
  uncached: ['ai.usage.inputTokenDetails.noCacheTokens'],
} as const

/** What GitHub charges for the call, in billionths of its unit. */
export const NANO_AIU = ['github.copilot.nano_aiu', 'copilot_chat.copilot_usage_nano_aiu'] as const

/** US$ for the call. `github.copilot.cost` is no money. */
export const COSTS_USD = [
  'gen_ai.usage.cost',
  'gen_ai.cost.total_cost',
  'gen_ai.usage.total_cost',
  'litellm.cost.total',
  'llm.cost.total',
] as const

export const MODELS = [
  'gen_ai.response.model',
  'ai.response.model',
  'llm.response.model',
  'gen_ai.request.model',
  'ai.model.id',
  'llm.request.model',
  'llm.model_name',
  'embedding.model_name',
] as const

/** Whether the sender's own cache answered. */
export const CACHE_HITS = [
  'cache_hit',
  'metadata.cache_hit',
  'litellm.cache_hit',
  'litellm.metadata.cache_hit',
  'gen_ai.cache_hit',
  'llm.cache_hit',
] as const

/** What kind of operation a span is. */
export const KINDS = ['gen_ai.operation.name', 'ai.operationId', 'llm.request.type', 'openinference.span.kind'] as const

export const OUTCOMES = ['error.type', 'copilot_chat.canceled'] as const

/** Claude Code's `api_request` and Codex's `codex.sse_event`. */
export const EVENT_ATTRIBUTES = [
  'event.name',
  'event.kind',
  'event.sequence',
  'request_id',
  'session.id',
  'conversation.id',
  'model',
  'slug',
  'input_tokens',
  'output_tokens',
  'cache_read_tokens',
  'cache_creation_tokens',
  'input_token_count',
  'output_token_count',
  'cached_token_count',
  'reasoning_token_count',
  'cost_usd',
  'cost_usd_micros',
] as const

/** Who sent a message, unless a setting says otherwise. */
export const MEMBERS = [
  'user.id',
  'enduser.id',
  'enduser.pseudo.id',
  'user.email',
  'user.name',
  'user.account_uuid',
  'user.account_id',
  'ai.telemetry.metadata.userId',
  'ai.settings.context.userId',
  'traceloop.association.properties.user_id',
  'metadata.user_api_key_end_user_id',
  'metadata.user_api_key_user_id',
  'litellm.end_user.id',
  'litellm.metadata.user_api_key_end_user_id',
  'litellm.metadata.user_api_key_user_id',
] as const

export const TEAMS = [
  'team.id',
  'ai.telemetry.metadata.teamId',
  'ai.settings.context.teamId',
  'traceloop.association.properties.team_id',
  'litellm.team.id',
  'metadata.user_api_key_team_id',
  'litellm.metadata.user_api_key_team_id',
] as const

/** Whether an attribute may hold what was said. A setting must not name one. */
export const isContent = (name: string): boolean => CONTENT.test(name)

const CONTENT =
  /prompt|completion|message|instruction|argument|result|\binputs?\b|\boutputs?\b|response|\bvalues?\b|embedding|\bbody\b|content/i
