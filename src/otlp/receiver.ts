/** From the bytes of an export request to charges: reads, decides what is a call, has each charged, and counts the rest. */
import type { Rejection } from '#intake/incoming-message.ts'
import type { Intake } from '#intake/intake.ts'
import type { Senders } from '#intake/senders.ts'
import type { Organization } from '#model/organization.ts'
import type { Encoding, PartialSuccess } from './answers.ts'
import { type CallSettings, callsInLogs, callsInSpans, type Verdict } from './calls.ts'
import { readJsonLogs, readJsonSpans } from './json-records.ts'
import { readProtobufLogs, readProtobufSpans } from './protobuf-records.ts'
import { wantedBy } from './wanted.ts'

export type Receiver = {
  /**
   * Takes an export request. Resolves once every call in it is committed, to what was rejected, if anything was. Throws InvalidRequest,
   * UpstreamError or StoreError; then the request may be sent again.
   */
  readonly takeSpans: Take
  readonly takeLogs: Take
}

type Take = (organization: Organization, bytes: Uint8Array, encoding: Encoding) => Promise<PartialSuccess | undefined>

export type ReceiverNeeds = {
  readonly intake: Pick<Intake, 'take'>
  readonly senders: Pick<Senders, 'took'>
  readonly settings: CallSettings
  /** The most messages that are priced and committed at once. */
  readonly batchMax: number
  /** Called with what became of the records of one source. */
  readonly observe: (source: string, outcome: string, reason: string, records: number) => void
}

export const createReceiver = ({ intake, senders, settings, batchMax, observe }: ReceiverNeeds): Receiver => {
  const wanted = wantedBy(settings)

  /** One source after the other, so that what became of its calls is counted for it. */
  const take = async (
    organization: Organization,
    verdicts: readonly Verdict[],
  ): Promise<PartialSuccess | undefined> => {
    const rejections: Rejection[] = []
    for (const [source, ofSource] of Map.groupBy(verdicts, (verdict) => verdict.source)) {
      const refused = ofSource.filter((verdict) => verdict.is === 'rejected')
      const ignored = countOf(ofSource.flatMap((verdict) => (verdict.is === 'ignored' ? [verdict.reason] : [])))
      const entries = ofSource.flatMap((verdict) => (verdict.is === 'call' ? [verdict.entry] : []))
      const failed: Rejection[] = refused.map(({ field, reason }) => ({ field, reason }))
      for (let from = 0; from < entries.length; from += batchMax) {
        const results = await intake.take(organization, entries.slice(from, from + batchMax), source)
        for (const [outcome, count] of Object.entries(results.counts)) observe(source, outcome, '', count)
        if (results.counts.rejected + results.counts.conflict === 0) continue
        for (const result of results) {
          if (result.status === 'rejected') failed.push(result)
          else if (result.status === 'conflict') failed.push({ id: result.id, field: '', reason: CONFLICT })
        }
      }
      senders.took(organization.id, source, { counts: { rejected: refused.length }, rejections: refused, ignored })
      for (const [reason, count] of ignored) observe(source, 'ignored', reason, count)
      for (const [field, count] of countOf(refused.map(({ field }) => field))) observe(source, 'rejected', field, count)
      rejections.push(...failed)
    }
    return rejections.length === 0 ? undefined : { rejected: rejections.length, message: toMessage(rejections) }
  }

  return {
    takeSpans: (organization, bytes, encoding) => {
      const spans = encoding === 'json' ? readJsonSpans(bytes, wanted) : readProtobufSpans(bytes, wanted)
      return take(organization, callsInSpans(spans, settings))
    },
    takeLogs: (organization, bytes, encoding) => {
      const records = encoding === 'json' ? readJsonLogs(bytes, wanted) : readProtobufLogs(bytes, wanted)
      return take(organization, callsInLogs(records, settings))
    },
  }
}

const CONFLICT = 'is already charged with other content'

const countOf = (names: readonly string[]): ReadonlyMap<string, number> => {
  const counts = new Map<string, number>()
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1)
  return counts
}

/** Names ids and fields, and never what was in them. */
const toMessage = (rejections: readonly Rejection[]): string => {
  const shown = rejections
    .slice(0, SHOWN_MAX)
    .map(({ id, field, reason }) => [id, field, reason].filter(Boolean).join(' '))
  const more = rejections.length - shown.length
  return more > 0 ? `${shown.join('; ')}; and ${more} more` : shown.join('; ')
}

const SHOWN_MAX = 5
