/**
 * Who sends spans and log records, and what each does in its own way. Everything that depends on the sender is in this table; add a row
 * only after looking at what the sender really sends, and say when.
 */
import type { Attributes } from './records.ts'

export type Source = {
  readonly name: string
  /** When it was looked at, and what: its source, or recorded requests. */
  readonly checked: string
  /** Names of instrumentations; `*` at the end stands for any. */
  readonly scopes: readonly string[]
  /** Values of `service.name`, likewise. */
  readonly services?: readonly string[]
  /** Attributes that only this sender has. */
  readonly marks?: readonly string[]
  /** Whether the input tokens include those that were read from a cache and written to one. Absent: the setting decides. */
  readonly cachedTokens?: CachedTokens
  /** Which spans may be calls. Absent: those whose attributes say so. */
  readonly spans?: 'root-only' | 'none'
  /** Attributes that name what a call is for; some purposes are the sender's own (`isUtility`). */
  readonly purposes?: readonly string[]
  /** Attributes that name the member, before those of the setting. */
  readonly members?: readonly string[]
}

export type CachedTokens = 'included' | 'apart'

export const SOURCES: readonly Source[] = [
  {
    name: 'github-copilot',
    checked:
      '2026-11-26: source of VS Code (extensions/copilot) and its monitoring guide, exports of the Copilot CLI 1.0',
    scopes: ['copilot-chat*', 'github.copilot*', 'github-copilot*'],
    services: ['copilot-chat*', 'github-copilot*', 'copilot-cli*'],
    marks: ['github.copilot.nano_aiu', 'copilot_chat.copilot_usage_nano_aiu', 'copilot_chat.debug_name'],
    cachedTokens: 'included',
    purposes: ['copilot_chat.debug_name', 'copilot_chat.debug_log_label'],
  },
  {
    name: 'openrouter',
    checked:
      '2026-11-26: recorded requests of Broadcast. Its root span has the usage; "generation" and "provider attempt N" repeat it',
    scopes: ['openrouter*'],
    services: ['openrouter*'],
    cachedTokens: 'included',
    spans: 'root-only',
  },
  {
    name: 'ai-sdk',
    checked: '2026-11-26: ai 6.0.326, and @ai-sdk/otel 1.0.173 of ai 7, which also has the attributes of ai 6',
    scopes: ['ai', 'gen_ai'],
    marks: ['ai.operationId'],
    cachedTokens: 'included',
  },
  {
    name: 'traceloop-anthropic-js',
    checked:
      '2026-11-26: @traceloop/instrumentation-anthropic 0.27.0 passes the counts of Anthropic on, which exclude cached tokens',
    scopes: ['@traceloop/instrumentation-anthropic'],
    cachedTokens: 'apart',
  },
  {
    name: 'traceloop',
    checked:
      '2026-11-26: @traceloop/instrumentation-openai 0.27.0; source of openllmetry, whose Anthropic package for Python adds them up',
    scopes: ['@traceloop/*', 'opentelemetry.instrumentation.*'],
    cachedTokens: 'included',
  },
  {
    name: 'openinference',
    checked: '2026-11-26: @arizeai/openinference-semantic-conventions and its instrumentations of OpenAI and Anthropic',
    scopes: ['@arizeai/openinference-*', 'openinference.*'],
    marks: ['openinference.span.kind'],
    cachedTokens: 'included',
  },
  {
    // Another name than that of its callback, so that one call by both doors is noticed.
    name: 'litellm-otel',
    checked: '2026-11-26: source of litellm/integrations/opentelemetry.py and litellm/integrations/otel',
    scopes: ['litellm*'],
    services: ['litellm*'],
    marks: ['litellm.call_id', 'metadata.user_api_key_hash'],
    cachedTokens: 'included',
    purposes: ['litellm.request.purpose'],
  },
  {
    name: 'claude-code',
    checked: '2026-11-26: its monitoring guide and recorded log records. Its spans repeat the usage of its events',
    scopes: ['com.anthropic.claude_code*'],
    services: ['claude-code*'],
    cachedTokens: 'apart',
    spans: 'none',
    purposes: ['query_source'],
    members: ['user.email'],
  },
  {
    name: 'codex',
    checked: '2026-11-26: source of codex-rs/otel. Its spans repeat the usage of its events',
    scopes: ['codex*'],
    services: ['codex*'],
    cachedTokens: 'included',
    spans: 'none',
    members: ['user.email'],
  },
]

/** Any other sender. The conventions of OpenTelemetry count cached tokens as input. */
export const OTHER: Source = { name: 'other', checked: '', scopes: [] }

/** By the scope, or else by the service, or else by an attribute that only one sender has. */
export const sourceOf = (scope: string, resource: Attributes, attributes: Attributes): Source => {
  const service = resource.get('service.name')
  return (
    SOURCES.find(({ scopes }) => isIn(scopes, scope)) ??
    SOURCES.find(({ services = [] }) => typeof service === 'string' && isIn(services, service)) ??
    SOURCES.find(({ marks = [] }) => marks.some((mark) => attributes.has(mark))) ??
    OTHER
  )
}

const isIn = (names: readonly string[], name: string): boolean =>
  names.some((each) => (each.endsWith('*') ? name.startsWith(each.slice(0, -1)) : name === each))

/** Titles, summaries and the like: calls that the user did not ask for. */
export const isUtility = ({ purposes = [] }: Source, attributes: Attributes): boolean =>
  purposes.some((name) => {
    const purpose = attributes.get(name)
    return typeof purpose === 'string' && UTILITY.test(purpose)
  })

/** Single words, as the senders have them. What a user called an agent of their own is no such purpose. */
const UTILITY = /^(?:\w*title|\w*summar\w*(?:-full|-simple)?|\w*categori[sz]ation|compact|auxiliary|\w+_classifier)$/i
