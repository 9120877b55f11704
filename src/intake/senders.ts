/**
 * What became of what each source sent, since this process started. Counts, fields and ids only: nobody needs the content to find out
 * why a call is missing.
 */
import type { EpochMs } from '#model/organization.ts'
import type { Id } from '#model/report.ts'
import type { IncomingMessage, Rejection } from './incoming-message.ts'
import type { IntakeCounts } from './intake-results.ts'

/** `unpriced` counts apart from `accepted`, as in the results of a request. */
export type SenderCounts = Required<IntakeCounts> & { ignored: number }

export type SenderReason = {
  readonly outcome: 'rejected' | 'conflict' | 'unpriced' | 'ignored'
  /** Of a rejection: the field. */
  readonly field?: string
  readonly reason: string
  count: number
  /** Of the latest conflict, or of the latest rejected message, if it had a valid one. */
  latestId?: Id
}

/** Through which door something came, and by whose key. */
export type Reporter = {
  /** The endpoint, or what is known of the software that sent it. */
  readonly source: string
  /** Absent if no key was required. */
  readonly key?: { readonly id: string; readonly name: string } | undefined
}

export type Sender = Reporter & {
  readonly counts: Readonly<SenderCounts>
  readonly lastSeen: EpochMs
  /** The most frequent first. */
  readonly reasons: readonly Readonly<SenderReason>[]
}

/** Two sources reported calls that look like the same ones: both are charged. */
export type Overlap = {
  readonly sources: readonly [string, string]
  readonly calls: number
  readonly lastSeen: EpochMs
}

export type SendersView = {
  readonly senders: readonly Sender[]
  readonly overlaps: readonly Overlap[]
}

export type Senders = {
  /** When counting began. */
  readonly since: EpochMs
  /** Called with the valid messages of a request. */
  readonly saw: (organizationId: string, reporter: Reporter, messages: readonly IncomingMessage[]) => void
  readonly took: (organizationId: string, reporter: Reporter, taken: Taken) => void
  readonly of: (organizationId: string) => SendersView
  /** The organizations from which anything came. */
  readonly organizations: () => readonly string[]
}

export type Taken = {
  readonly counts?: Readonly<Partial<IntakeCounts>>
  readonly rejections?: Iterable<Rejection>
  /** The ids of the messages that are charged with other content. */
  readonly conflicts?: Iterable<Id>
  /** By reason. */
  readonly unpriced?: ReadonlyMap<string, number>
  readonly ignored?: ReadonlyMap<string, number>
}

type Tally = {
  readonly reporter: Reporter
  counts: SenderCounts
  lastSeen: EpochMs
  reasons: Map<string, SenderReason>
}
type Book = {
  readonly tallies: Map<string, Tally>
  readonly overlaps: Map<string, { sources: readonly [string, string]; calls: number; lastSeen: EpochMs }>
  /** Which source reported a call of that kind last, by what it is: the oldest are forgotten. */
  readonly calls: Map<string, { readonly source: string; readonly at: EpochMs }>
}

export const createSenders = (clock: () => EpochMs): Senders => {
  const since = clock()
  const books = new Map<string, Book>()

  const bookOf = (organizationId: string): Book => {
    const known = books.get(organizationId)
    if (known !== undefined) return known
    const book = { tallies: new Map(), overlaps: new Map(), calls: new Map() }
    books.set(organizationId, book)
    forgetOldest(books, ORGANIZATIONS_MAX)
    return book
  }

  const tallyOf = (organizationId: string, reporter: Reporter): Tally => {
    const { tallies } = bookOf(organizationId)
    const name = `${reporter.source} ${reporter.key?.id}`
    const tally = tallies.get(name) ?? { reporter, counts: { ...NOTHING }, lastSeen: 0, reasons: new Map() }
    // Those that send nothing any more are the first to be forgotten.
    tallies.delete(name)
    tallies.set(name, tally)
    forgetOldest(tallies, SENDERS_MAX)
    tally.lastSeen = clock()
    return tally
  }

  return {
    since,

    saw: (organizationId, { source }, messages) => {
      let book: Book | undefined
      for (const message of messages) {
        const kind = kindOf(message)
        if (kind === undefined) continue
        book ??= bookOf(organizationId)
        const { calls, overlaps } = book
        const before = calls.get(kind)
        if (before !== undefined && before.source !== source && Math.abs(before.at - message.at) <= OVERLAP_MS) {
          const sources: readonly [string, string] =
            before.source < source ? [before.source, source] : [source, before.source]
          const overlap = overlaps.get(sources.join()) ?? { sources, calls: 0, lastSeen: 0 }
          overlaps.set(sources.join(), { ...overlap, calls: overlap.calls + 1, lastSeen: clock() })
        }
        calls.delete(kind)
        calls.set(kind, { source, at: message.at })
        forgetOldest(calls, CALLS_MAX)
      }
    },

    took: (organizationId, reporter, taken) => {
      const { counts = NO_COUNTS, rejections = [], conflicts = [], unpriced = NO_REASONS, ignored = NO_REASONS } = taken
      const tally = tallyOf(organizationId, reporter)
      for (const name of COUNTED) tally.counts[name] += counts[name] ?? 0
      for (const { id, field, reason } of rejections) addTo(tally, { outcome: 'rejected', field, reason }, 1, id)
      for (const id of conflicts) addTo(tally, { outcome: 'conflict', reason: CONFLICT }, 1, id)
      for (const [reason, count] of unpriced) addTo(tally, { outcome: 'unpriced', reason }, count)
      for (const [reason, count] of ignored) {
        tally.counts.ignored += count
        addTo(tally, { outcome: 'ignored', reason }, count)
      }
    },

    of: (organizationId) => {
      const { tallies, overlaps } = books.get(organizationId) ?? NO_BOOK
      return {
        senders: [...tallies.values()]
          .map(({ reporter, counts, lastSeen, reasons }) => ({
            ...reporter,
            counts,
            lastSeen,
            reasons: [...reasons.values()].sort((one, other) => other.count - one.count),
          }))
          .sort(bySource),
        overlaps: [...overlaps.values()],
      }
    },

    organizations: () => [...books.keys()].sort(),
  }
}

const bySource = (one: Sender, other: Sender): number =>
  compare(one.source, other.source) || compare(one.key?.name ?? '', other.key?.name ?? '')

const compare = (one: string, other: string): number => Number(one > other) - Number(one < other)

/** Undefined if it is no call of a model. Two calls are of a kind if they may be one call, reported twice. */
const kindOf = ({ member, brought }: IncomingMessage): string | undefined => {
  const { model, tokens } = brought ?? {}
  if (model === undefined || tokens === undefined) return undefined
  return JSON.stringify([member, model, tokens.input, tokens.cacheRead, tokens.cacheWrite, tokens.output])
}

const addTo = (tally: Tally, wanted: Omit<SenderReason, 'count'>, count: number, id?: Id): void => {
  const counted = reasonIn(tally, wanted)
  counted.count += count
  if (id !== undefined) counted.latestId = id
}

const reasonIn = ({ reasons }: Tally, wanted: Omit<SenderReason, 'count'>): SenderReason => {
  const key = JSON.stringify([wanted.outcome, wanted.field, wanted.reason])
  const isFull = !reasons.has(key) && reasons.size >= REASONS_MAX
  const found = reasons.get(isFull ? wanted.outcome : key) ?? {
    ...(isFull ? { outcome: wanted.outcome, reason: 'other reasons' } : wanted),
    count: 0,
  }
  reasons.set(isFull ? wanted.outcome : key, found)
  return found
}

const forgetOldest = (map: Map<string, unknown>, most: number): void => {
  if (map.size <= most) return
  const [oldest] = map.keys()
  if (oldest !== undefined) map.delete(oldest)
}

export const CONFLICT = 'is already charged with other content'

const COUNTED = ['accepted', 'unpriced', 'duplicate', 'conflict', 'rejected'] as const
const NOTHING: SenderCounts = { accepted: 0, unpriced: 0, duplicate: 0, conflict: 0, rejected: 0, ignored: 0 }
const NO_COUNTS: Partial<IntakeCounts> = {}
const NO_REASONS: ReadonlyMap<string, number> = new Map()

const NO_BOOK: Book = { tallies: new Map(), overlaps: new Map(), calls: new Map() }

const OVERLAP_MS = 60_000
/** Per organization. */
const CALLS_MAX = 10_000
const REASONS_MAX = 100
const SENDERS_MAX = 1000
const ORGANIZATIONS_MAX = 1000
