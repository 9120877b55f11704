/**
 * Which spans and log records are calls of a model, and the message that each stands for. Most are not: agents, steps and roots repeat
 * what their children have used.
 */
import { BadField } from '#intake/bad-field.ts'
import type { MessageEntry, Verdict } from '#intake/received-calls.ts'
import { nanoUsdOf } from '#intake/usage-formats.ts'
import { PROVIDER_COST } from '#model/fact-names.ts'
import { CACHE_HITS, COSTS_USD, COUNTS, KINDS, MODELS, NANO_AIU } from './attribute-names.ts'
import { EVENTS, type EventFormat } from './events.ts'
import type { Attributes, AttributeValue, LogRecord, Span } from './records.ts'
import { type CachedTokens, isUtility, OTHER, type Source, sourceOf } from './sources.ts'
import { toCount, type Usage, usageOf } from './usage.ts'

export type CallSettings = {
  /** Attributes that name the member and the team, the first that is present. */
  readonly members: readonly string[]
  readonly teams: readonly string[]
  /** Instrumentations and services that are in no table and count cached tokens apart. */
  readonly cachedApart: readonly string[]
}

/** Why a record is no call, or none that is charged. */
export const IGNORED = {
  'no-call': 'Neither its name nor its attributes say that it is a call of a model.',
  agent: 'An agent, a workflow or a step of one: it repeats what its calls used.',
  tool: 'A call of a tool.',
  root: 'It repeats what the calls below it used.',
  attempt: 'A part of a call that is a span of its own.',
  'other-operation': 'An operation that is not charged.',
  'repeats-events': 'The sender reports its calls as log records.',
  'other-event': 'A log record that is not charged: spans have its usage, or it has none.',
  'failed-without-usage': 'A failed call that used no tokens.',
  'without-usage': 'A log record of a call that does not say what it used.',
} as const
export type IgnoredReason = keyof typeof IGNORED

/** Of each span of a request, in order. */
export const callsInSpans = (spans: readonly Span[], settings: CallSettings): readonly Verdict[] => {
  const known = spans.map((span): Known => {
    const source = sourceOf(span.scope, span.resource, span.attributes)
    return { span, source, kind: kindOf(span, source) }
  })
  const calls = callsAbove(known)
  const outer = outerEmbeddings(known, calls)
  return known.map(({ span, source, kind }) => {
    if (kind !== 'call') return { source: source.name, is: 'ignored', reason: kind }
    if (outer.has(span)) return { source: source.name, is: 'ignored', reason: 'root' }
    if (isBelowCall(span, calls) && !isSdkEmbedding(span, source))
      return { source: source.name, is: 'ignored', reason: 'attempt' }
    return verdictOf(source, () => spanCall(span, source, settings))
  })
}

type Known = { readonly span: Span; readonly source: Source; readonly kind: 'call' | IgnoredReason }

/** The scopes of calls that have others below them, by id. Most requests have none, which their span ids alone tell. */
const callsAbove = (known: readonly Known[]): ReadonlyMap<string, string> => {
  const calls = known.filter(({ kind }) => kind === 'call').map(({ span }) => span)
  const parents = new Set(calls.map(({ parentSpanId }) => parentSpanId))
  return new Map(
    calls
      .filter(({ spanId }) => parents.has(spanId))
      .map(({ traceId, spanId, scope }) => [`${traceId} ${spanId}`, scope]),
  )
}

const isBelowCall = ({ traceId, spanId, parentSpanId, scope }: Span, calls: ReadonlyMap<string, string>): boolean =>
  calls.size > 0 && parentSpanId !== '' && parentSpanId !== spanId && calls.get(`${traceId} ${parentSpanId}`) === scope

export const callsInLogs = (records: readonly LogRecord[], settings: CallSettings): readonly Verdict[] =>
  records.map((record) => {
    const source = sourceOf(record.scope, record.resource, record.attributes)
    const format = EVENTS.find(({ is }) => is(record, source.name))
    if (format === undefined) return { source: source.name, is: 'ignored', reason: 'other-event' }
    const sender = source === OTHER ? format.source : source
    return verdictOf(sender, () => eventCall(record, sender, format, settings))
  })

type Recorded = Pick<Span, 'scope' | 'resource' | 'attributes'>

const verdictOf = ({ name: source }: Source, call: () => MessageEntry | IgnoredReason): Verdict => {
  try {
    const result = call()
    return typeof result === 'string'
      ? { source, is: 'ignored', reason: result }
      : { source, is: 'call', entry: result }
  } catch (error) {
    if (!(error instanceof BadField)) throw error
    return { source, is: 'rejected', field: error.field, reason: error.reason }
  }
}

const CALLS: ReadonlySet<unknown> = new Set(['chat', 'generate_content', 'text_completion', 'embeddings'])
const AGENTS: ReadonlySet<unknown> = new Set(['invoke_agent', 'create_agent', 'invoke_workflow', 'agent_step'])
const TOOLS: ReadonlySet<unknown> = new Set(['execute_tool', 'execute_hook'])

const kindOf = ({ name, parentSpanId, attributes }: Span, { spans }: Source): 'call' | IgnoredReason => {
  if (spans === 'none') return 'repeats-events'
  if (spans === 'root-only') {
    // A user may have named the root otherwise. What is below it always has a parent.
    const isRoot = name === ROOT_NAME || (parentSpanId === '' && COUNTS.input.some((each) => attributes.has(each)))
    return isRoot ? 'call' : 'attempt'
  }
  const [operation, operationId, requestType, spanKind] = KINDS.map((each) => attributes.get(each) || undefined)
  if (CALLS.has(operation)) return 'call'
  if (AGENTS.has(operation)) return 'agent'
  if (TOOLS.has(operation)) return 'tool'
  if (operation === undefined) {
    if (typeof operationId === 'string') return OPERATION_ID.test(operationId) ? 'call' : 'root'
    if (name === ROOT_NAME) return 'call'
  }
  // LiteLLM names an operation by its own word, such as `acompletion`, and says its type too.
  if (requestType !== undefined) return 'call'
  if (operation !== undefined) return 'other-operation'
  if (spanKind !== undefined && spanKind !== 'LLM' && spanKind !== 'EMBEDDING')
    return spanKind === 'AGENT' ? 'agent' : 'root'
  return spanKind === 'LLM' || OPENINFERENCE.some((each) => attributes.has(each)) ? 'call' : 'no-call'
}

/** OpenRouter's. */
export const ROOT_NAME = 'LLM Generation'
const OPERATION_ID = /\.do(?:Generate|Stream|Embed)$/
const OPENINFERENCE = ['llm.token_count.prompt', 'llm.token_count.completion', 'llm.token_count.total']

const isSdkEmbedding = ({ attributes }: Span, { name }: Source): boolean =>
  name === 'ai-sdk' && attributes.get('gen_ai.operation.name') === 'embeddings'

/**
 * The AI SDK 7 records an embedding twice, around all and around each call, under one name. The outer span has no usage, or that of
 * all inner ones.
 */
const outerEmbeddings = (known: readonly Known[], calls: ReadonlyMap<string, string>): ReadonlySet<Span> => {
  const embeddings = known.filter(({ span, source }) => isSdkEmbedding(span, source))
  const parents = new Set(
    embeddings.map(({ span }) => `${span.traceId} ${span.parentSpanId}`).filter((parent) => calls.has(parent)),
  )
  return new Set(
    embeddings
      .filter(
        ({ span }) =>
          parents.has(`${span.traceId} ${span.spanId}`) || !COUNTS.input.some((each) => span.attributes.has(each)),
      )
      .map(({ span }) => span),
  )
}

const spanCall = (span: Span, source: Source, settings: CallSettings): MessageEntry | IgnoredReason => {
  const { traceId, spanId, attributes } = span
  const usage = usageOf(attributes, cachedTokensOf(span, source, settings))
  const hasFailed = span.hasFailed || isPresent(attributes.get('error.type'))
  if (hasFailed && !isUsed(usage)) return 'failed-without-usage'
  if (!/[1-9a-f]/.test(traceId)) throw new BadField('traceId', 'must be 32 hex digits, not all 0')
  if (!/[1-9a-f]/.test(spanId)) throw new BadField('spanId', 'must be 16 hex digits, not all 0')
  const model = firstText([attributes], MODELS)
  const quantities = quantitiesIn(attributes)
  if (usage === undefined && model === undefined && quantities === undefined)
    throw new BadField('gen_ai.response.model', 'must be present: the call says neither its model nor what it used')
  return {
    id: `otlp:${traceId}${spanId}`,
    timestamp: timestampOf(span.endNanos, 'endTimeUnixNano'),
    ...whoIn(span, source, settings),
    ...(model !== undefined && { model }),
    ...(usage !== undefined && { usage }),
    ...(quantities !== undefined && { quantities }),
    ...(CACHE_HITS.some((each) => isTrue(attributes.get(each))) && { attributes: { cache_hit: true } }),
    ...outcomeOf(hasFailed, attributes, source),
  }
}

const eventCall = (
  record: LogRecord,
  source: Source,
  format: EventFormat,
  settings: CallSettings,
): MessageEntry | IgnoredReason => {
  const { attributes, nanos } = record
  const usage = usageOf(attributes, source.cachedTokens ?? 'included', format.counts)
  if (usage === undefined) return 'without-usage'
  const model = firstText([attributes], format.models)
  const quantities = quantitiesIn(attributes)
  return {
    id: `otlp:${eventId(record)}`,
    timestamp: timestampOf(nanos, 'timeUnixNano'),
    ...whoIn(record, source, settings),
    ...(model !== undefined && { model }),
    usage,
    ...(quantities !== undefined && { quantities }),
    ...outcomeOf(false, attributes, source),
  }
}

/** A request is repeated in several events, so its id is that of the call. */
const eventId = ({ attributes, nanos, traceId }: LogRecord): string => {
  const requestId = attributes.get('request_id')
  if (isPresent(requestId)) return String(requestId)
  const session = [attributes.get('session.id'), attributes.get('conversation.id'), traceId].find(isPresent)
  if (session === undefined) throw new BadField('request_id', 'must be present, or session.id, or conversation.id')
  return [session, attributes.get('event.sequence'), nanos].filter((each) => each !== undefined).join(':')
}

const isPresent = (value: AttributeValue | undefined): value is AttributeValue => value !== undefined && value !== ''

const isTrue = (value: AttributeValue | undefined): boolean => value === true || value === 'true' || value === 'True'

const isUsed = (usage: Usage | undefined): boolean =>
  usage !== undefined && Object.values(usage).some((count) => count > 0)

const cachedTokensOf = (
  { scope, resource }: Span,
  { cachedTokens }: Source,
  { cachedApart }: CallSettings,
): CachedTokens => {
  if (cachedTokens !== undefined) return cachedTokens
  const service = resource.get('service.name')
  return cachedApart.includes(scope) || cachedApart.some((each) => each === service) ? 'apart' : 'included'
}

/** Milliseconds, because JSON numbers lose what is finer. */
const timestampOf = (nanos: bigint, field: string): string => {
  const ms = Number(nanos / 1_000_000n)
  if (ms === 0 || ms > LATEST_MS) throw new BadField(field, 'must be a time after 1970 and before the year 10000')
  return new Date(ms).toISOString()
}

const LATEST_MS = Date.UTC(9999, 11, 31)

const whoIn = (
  { attributes, resource }: Recorded,
  { members = [] }: Source,
  settings: CallSettings,
): Pick<MessageEntry, 'user_id' | 'team_id'> => {
  const member = firstText([attributes, resource], [...members, ...settings.members])
  const team = firstText([attributes, resource], settings.teams)
  return { ...(member !== undefined && { user_id: member }), ...(team !== undefined && { team_id: team }) }
}

const firstText = (places: readonly Attributes[], names: readonly string[]): string | undefined => {
  for (const place of places) {
    for (const name of names) {
      const value = place.get(name)
      if (isPresent(value) && typeof value !== 'boolean') return String(value)
    }
  }
  return undefined
}

const quantitiesIn = (attributes: Attributes): Readonly<Record<string, number>> | undefined => {
  const nanoAiuName = NANO_AIU.find((each) => attributes.has(each)) ?? NANO_AIU[0]
  const nanoAiu = toCount(attributes.get(nanoAiuName), nanoAiuName)
  const cost = costIn(attributes)
  if (nanoAiu === undefined && cost === undefined) return undefined
  return {
    ...(nanoAiu !== undefined && { nano_aiu: nanoAiu }),
    ...(cost !== undefined && { [PROVIDER_COST]: cost }),
  }
}

/** US$ × 10^9. What is no amount is left out: a cost is only for comparing. */
const costIn = (attributes: Attributes): number | undefined => {
  const micros = numberOf(attributes.get('cost_usd_micros'))
  if (micros !== undefined && Number.isSafeInteger(micros * 1000) && micros >= 0) return micros * 1000
  for (const name of [...COSTS_USD, 'cost_usd']) {
    const usd = numberOf(attributes.get(name))
    const nano = usd === undefined ? undefined : nanoUsdOf(usd)
    if (nano !== undefined) return nano
  }
  return undefined
}

const numberOf = (value: AttributeValue | undefined): number | undefined => {
  if (typeof value === 'string') return DECIMAL.test(value) ? Number(value) : undefined
  return typeof value === 'number' ? value : undefined
}

const DECIMAL = /^\d+(?:\.\d+)?(?:e[+-]?\d+)?$/i

const outcomeOf = (hasFailed: boolean, attributes: Attributes, source: Source): Pick<MessageEntry, 'outcome'> => {
  if (hasFailed) return { outcome: 'failed' }
  if (isTrue(attributes.get('copilot_chat.canceled'))) return { outcome: 'cancelled' }
  return isUtility(source, attributes) ? { outcome: 'utility' } : {}
}
