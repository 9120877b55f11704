/** From the bytes of an export request to charges: reads, decides what is a call, and has each charged. */
import type { Rejection } from '#intake/incoming-message.ts'
import type { ReceivedCalls, Verdict } from '#intake/received-calls.ts'
import type { Reporter } from '#intake/senders.ts'
import type { Organization } from '#model/organization.ts'
import type { Encoding, PartialSuccess } from './answers.ts'
import { type CallSettings, callsInLogs, callsInSpans } from './calls.ts'
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

type Take = (
  organization: Organization,
  key: Reporter['key'],
  bytes: Uint8Array,
  encoding: Encoding,
) => Promise<PartialSuccess | undefined>

export type ReceiverNeeds = { readonly calls: ReceivedCalls; readonly settings: CallSettings }

export const createReceiver = ({ calls, settings }: ReceiverNeeds): Receiver => {
  const wanted = wantedBy(settings)

  const take = async (
    organization: Organization,
    key: Reporter['key'],
    verdicts: readonly Verdict[],
  ): Promise<PartialSuccess | undefined> => {
    const { rejections } = await calls.take(organization, verdicts, key)
    return rejections.length === 0 ? undefined : { rejected: rejections.length, message: toMessage(rejections) }
  }

  return {
    takeSpans: (organization, key, bytes, encoding) => {
      const spans = encoding === 'json' ? readJsonSpans(bytes, wanted) : readProtobufSpans(bytes, wanted)
      return take(organization, key, callsInSpans(spans, settings))
    },
    takeLogs: (organization, key, bytes, encoding) => {
      const records = encoding === 'json' ? readJsonLogs(bytes, wanted) : readProtobufLogs(bytes, wanted)
      return take(organization, key, callsInLogs(records, settings))
    },
  }
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
