/** The log records that are charged. No other is: most repeat the usage of a span. */
import type { LogRecord } from './records.ts'
import { SOURCES, type Source } from './sources.ts'
import type { CountNames } from './usage.ts'

export type EventFormat = {
  readonly source: Source
  readonly is: (record: LogRecord, source: string) => boolean
  readonly counts: CountNames
  readonly models: readonly string[]
}

const sourceNamed = (wanted: string): Source => {
  const source = SOURCES.find(({ name }) => name === wanted)
  if (source === undefined) throw new Error(`there is no source ${wanted}`)
  return source
}

const nameOf = ({ event, attributes }: LogRecord): unknown => attributes.get('event.name') || event

export const EVENTS: readonly EventFormat[] = [
  {
    // Earlier versions have the whole name only in the body.
    source: sourceNamed('claude-code'),
    is: (record, source) =>
      record.event === 'claude_code.api_request' ||
      nameOf(record) === 'claude_code.api_request' ||
      (source === 'claude-code' && nameOf(record) === 'api_request'),
    counts: {
      input: ['input_tokens'],
      cacheRead: ['cache_read_tokens'],
      cacheWrite: ['cache_creation_tokens'],
      output: ['output_tokens'],
    },
    models: ['model'],
  },
  {
    source: sourceNamed('codex'),
    is: (record) =>
      nameOf(record) === 'codex.sse_event' && record.attributes.get('event.kind') === 'response.completed',
    counts: {
      input: ['input_token_count'],
      cacheRead: ['cached_token_count'],
      output: ['output_token_count'],
      reasoning: ['reasoning_token_count'],
    },
    models: ['model', 'slug'],
  },
]

/** Names that are read from the body of a record. */
export const EVENT_NAMES = ['claude_code.api_request', 'api_request', 'codex.sse_event'] as const
