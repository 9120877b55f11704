/**
 * Writes what was seen upstream into the ledger of `default`, behind the answers: usage that the upstream has listed is
 * answered whether the ledger can be written or not, and what could not be written is tried again with the next listing.
 */
import { hash } from 'node:crypto'
import type { Organization } from '#model/organization.ts'
import { DEFAULT_ORGANIZATION } from './access.ts'
import { canonicalContent } from './content-digest.ts'
import { isId } from './incoming-message.ts'
import type { Intake, PricedMessage } from './intake.ts'

export type UpstreamRecorder = {
  /** Is handed a listing that was answered. Of those that come while one is written, the latest counts. */
  readonly seen: (listing: Iterable<PricedMessage>) => void
  /** Resolves once what was seen until now has been written, or could not be. */
  readonly settled: () => Promise<void>
}

export type RecordingOutcome =
  | { readonly amended: number; readonly accepted: number }
  /** The listing could not be written. */
  | { readonly error: unknown }
  /** Messages that no database can keep: their ids hold U+0000 or a lone surrogate. */
  | { readonly unkept: number }

export type UpstreamRecorderNeeds = {
  readonly intake: Pick<Intake, 'record'>
  readonly findOrganization: (id: string) => Promise<Organization | undefined>
  readonly observe: (outcome: RecordingOutcome) => void
}

const MESSAGES_A_PIECE = 500

export const createUpstreamRecorder = (needs: UpstreamRecorderNeeds): UpstreamRecorder => {
  const { intake, findOrganization, observe } = needs
  /** Fingerprints of the pieces that the ledger is known to have: a listing mostly grows at its end. */
  let recorded: ReadonlySet<string> = new Set()
  let next: Iterable<PricedMessage> | undefined
  let running: Promise<void> | undefined

  const write = async (listing: Iterable<PricedMessage>): Promise<void> => {
    const organization = await findOrganization(DEFAULT_ORGANIZATION)
    if (organization === undefined) throw new Error('the organization default is not there')
    const written = new Set<string>()
    let accepted = 0
    let amended = 0
    for (const piece of piecesOf(keepable(listing, (ids) => observe({ unkept: ids })))) {
      const fingerprint = fingerprintOf(piece)
      if (!recorded.has(fingerprint)) {
        for (const { status } of await intake.record(organization, piece)) {
          if (status === 'accepted') accepted++
          if (status === 'amended') amended++
        }
      }
      written.add(fingerprint)
    }
    recorded = written
    if (accepted + amended > 0) observe({ accepted, amended })
  }

  const run = async (): Promise<void> => {
    while (next !== undefined) {
      const listing = next
      next = undefined
      try {
        await write(listing)
      } catch (error) {
        observe({ error })
      }
    }
    running = undefined
  }

  return {
    seen: (listing) => {
      next = listing
      running ??= run()
    },
    settled: async () => {
      await running
    },
  }
}

/** What databases can keep: a name is made so, a message whose id is not is left out and told of. */
function* keepable(listing: Iterable<PricedMessage>, tell: (unkept: number) => void): Generator<PricedMessage> {
  let unkept = 0
  for (const { message, report } of listing) {
    const { member, reportId, ...rest } = message
    if (!isId(message.id) || (reportId !== undefined && !isId(reportId))) {
      unkept++
      continue
    }
    yield {
      message: { ...rest, ...(reportId !== undefined && { reportId }), ...(isId(member) && { member }) },
      report: report && { ...report, name: report.name.toWellFormed().replaceAll('\u0000', '\ufffd') },
    }
  }
  if (unkept > 0) tell(unkept)
}

function* piecesOf(listing: Iterable<PricedMessage>): Generator<readonly PricedMessage[]> {
  let piece: PricedMessage[] = []
  for (const each of listing) {
    piece.push(each)
    if (piece.length < MESSAGES_A_PIECE) continue
    yield piece
    piece = []
  }
  if (piece.length > 0) yield piece
}

const fingerprintOf = (piece: readonly PricedMessage[]): string =>
  hash('sha256', JSON.stringify(piece.map(({ message }) => canonicalContent(message))), 'base64')
