/**
 * What is read of spans and log records, the same from JSON and protobuf. A reader is told which names are wanted and reads nothing
 * else, so prompts, completions and whatever a sender adds later are never in it.
 */
import { InvalidRequest } from '#model/errors.ts'

export type AttributeValue = string | number | boolean
export type Attributes = ReadonlyMap<string, AttributeValue>

type Recorded = {
  /** 32 hex digits in lower case; empty if absent or of another length. */
  readonly traceId: string
  /** 16 hex digits in lower case; empty if absent or of another length. */
  readonly spanId: string
  /** The name of the instrumentation that recorded it; may be empty. */
  readonly scope: string
  readonly resource: Attributes
  readonly attributes: Attributes
}

export type Span = Recorded & {
  readonly parentSpanId: string
  /** Empty unless it is wanted: a name may be anything. */
  readonly name: string
  /** Nanoseconds since 1970; 0 if absent. */
  readonly endNanos: bigint
  readonly hasFailed: boolean
}

export type LogRecord = Recorded & {
  /** The name of the event, or the body if that is a wanted event. The attribute `event.name` stands in `attributes`. */
  readonly event: string
  /** Nanoseconds since 1970 of the event, or else of its observation; 0 if both are absent. */
  readonly nanos: bigint
}

/** The only names that are read. */
export type Wanted = {
  readonly attributes: ReadonlySet<string>
  readonly spanNames: ReadonlySet<string>
  readonly events: ReadonlySet<string>
}

/**
 * Throws InvalidRequest. A record may be two bytes, and takes hundreds once it is read: without a limit, a small compressed request
 * could take all memory. Exporters send a few thousand at most.
 */
export const checkRoom = (records: readonly unknown[]): void => {
  if (records.length >= RECORDS_MAX)
    throw new InvalidRequest('body', `a request of at most ${RECORDS_MAX} spans or log records`)
}

export const RECORDS_MAX = 100_000

/** The status code of a span that failed. */
export const FAILED = 2
