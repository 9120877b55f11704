/** The sources and reasons of intake, in words. */
import type { Intake } from 'copilot-credits-client'

export type IntakeSource = Intake['sources'][number]
export type IntakeReason = IntakeSource['reasons'][number]

const SOURCES: Readonly<Record<string, string>> = {
  messages: 'POST /v1/messages',
  events: 'POST /v1/events',
  litellm: 'LiteLLM callback',
  'github-copilot': 'GitHub Copilot',
  openrouter: 'OpenRouter',
  'ai-sdk': 'AI SDK',
  'traceloop-anthropic-js': 'Traceloop (Anthropic)',
  traceloop: 'Traceloop',
  openinference: 'OpenInference',
  'litellm-otel': 'LiteLLM over OpenTelemetry',
  'claude-code': 'Claude Code',
  codex: 'Codex',
  other: 'Another sender of OpenTelemetry',
}

export const sourceName = (source: string): string => SOURCES[source] ?? source

/** Why something is no call that is charged, to follow a number of them. */
const IGNORED: Readonly<Record<string, string>> = {
  'nothing-logged': 'null, which LiteLLM sends for what it could not log',
  tool: 'calls of tools',
  'no-call': 'no calls of a model',
  'failed-without-usage': 'failed calls that used no tokens',
  agent: 'agents, workflows or steps, which repeat what their calls used',
  root: 'roots, which repeat what the calls below them used',
  attempt: 'parts of a call that is a span of its own',
  'other-operation': 'operations that are not charged',
  'repeats-events': 'spans of a sender that reports its calls as log records',
  'other-event': 'log records that are not charged',
  'without-usage': 'log records that do not say what was used',
}

export const reasonText = ({ outcome, field = '', reason }: IntakeReason): string =>
  outcome === 'ignored' ? (IGNORED[reason] ?? reason) : [field, reason].filter(Boolean).join(' ')

export const OUTCOMES = [
  { id: 'accepted', name: 'Charged', isFault: false },
  { id: 'unpriced', name: 'Unpriced', isFault: true },
  { id: 'duplicate', name: 'Duplicate', isFault: false },
  { id: 'conflict', name: 'Conflict', isFault: true },
  { id: 'rejected', name: 'Rejected', isFault: true },
  { id: 'ignored', name: 'Ignored', isFault: false },
] as const

export const outcomeName = (outcome: IntakeReason['outcome']): string =>
  OUTCOMES.find(({ id }) => id === outcome)?.name ?? outcome

/** Everything that arrived, whatever became of it. */
export const arrivedIn = (source: IntakeSource): number => OUTCOMES.reduce((sum, { id }) => sum + source[id], 0)
