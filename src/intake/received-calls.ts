/** Has the calls that a telemetry request reports charged, and counts everything else that came in it. */
import type { Outcome } from '#model/facts.ts'
import type { Organization } from '#model/organization.ts'
import type { Id } from '#model/report.ts'
import type { Rejection } from './incoming-message.ts'
import type { Intake } from './intake.ts'
import type { IntakeCounts } from './intake-results.ts'
import { CONFLICT, type Reporter, type Senders } from './senders.ts'

/** What a record of a sender is. */
export type Verdict = { readonly source: string } & (
  | { readonly is: 'call'; readonly entry: MessageEntry }
  | { readonly is: 'ignored'; readonly reason: string }
  | { readonly is: 'rejected'; readonly id?: Id; readonly field: string; readonly reason: string }
)

/** As a client reports a message. */
export type MessageEntry = {
  readonly id: string
  readonly timestamp: string
  readonly user_id?: string
  readonly team_id?: string
  readonly model?: string
  readonly usage?: Readonly<Record<string, number>>
  readonly quantities?: Readonly<Record<string, number>>
  readonly attributes?: Readonly<Record<string, boolean>>
  readonly outcome?: Outcome
}

export type ReceivedCalls = {
  /**
   * Resolves once every call is committed. Throws UpstreamError or StoreError; then the same records may be sent again.
   */
  readonly take: (organization: Organization, verdicts: readonly Verdict[], key: Reporter['key']) => Promise<Received>
}

/** A conflict counts as one, and is rejected too: what was sent is not what is charged. */
export type Received = {
  readonly counts: Required<IntakeCounts> & { readonly ignored: number }
  readonly rejections: readonly Rejection[]
}

export type ReceivedCallsNeeds = {
  readonly intake: Pick<Intake, 'take'>
  readonly senders: Pick<Senders, 'took'>
  /** The most messages that are priced and committed at once. */
  readonly batchMax: number
  /** Called with what became of the records of one source. */
  readonly observe: (source: string, outcome: string, reason: string, records: number) => void
}

export const createReceivedCalls = ({ intake, senders, batchMax, observe }: ReceivedCallsNeeds): ReceivedCalls => ({
  /** One source after the other, so that what became of its calls is counted for it. */
  take: async (organization, verdicts, key) => {
    const counts = { accepted: 0, unpriced: 0, duplicate: 0, conflict: 0, rejected: 0, ignored: 0 }
    const rejections: Rejection[] = []
    for (const [source, ofSource] of Map.groupBy(verdicts, (verdict) => verdict.source)) {
      const refused = ofSource.flatMap((verdict) => (verdict.is === 'rejected' ? [rejectionOf(verdict)] : []))
      const ignored = countOf(ofSource.flatMap((verdict) => (verdict.is === 'ignored' ? [verdict.reason] : [])))
      const entries = ofSource.flatMap((verdict) => (verdict.is === 'call' ? [verdict.entry] : []))
      for (const each of refused) rejections.push(each)
      counts.rejected += refused.length
      for (let from = 0; from < entries.length; from += batchMax) {
        const results = await intake.take(organization, entries.slice(from, from + batchMax), { source, key })
        for (const [outcome, count] of Object.entries(results.counts) as [keyof IntakeCounts, number][]) {
          counts[outcome] += count
          observe(source, outcome, '', count)
        }
        if (results.counts.rejected + results.counts.conflict === 0) continue
        for (const result of results) {
          if (result.status === 'rejected') rejections.push(rejectionOf(result))
          else if (result.status === 'conflict') rejections.push({ id: result.id, field: '', reason: CONFLICT })
        }
      }
      senders.took(
        organization.id,
        { source, key },
        { counts: { rejected: refused.length }, rejections: refused, ignored },
      )
      for (const [reason, count] of ignored) {
        counts.ignored += count
        observe(source, 'ignored', reason, count)
      }
      for (const [field, count] of countOf(refused.map(({ field }) => field))) observe(source, 'rejected', field, count)
    }
    return { counts, rejections }
  },
})

const rejectionOf = ({ id, field, reason }: Rejection): Rejection =>
  id === undefined ? { field, reason } : { id, field, reason }

const countOf = (names: readonly string[]): ReadonlyMap<string, number> => {
  const counts = new Map<string, number>()
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1)
  return counts
}
