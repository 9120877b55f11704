/**
 * Writes what was seen upstream into the ledger of `default`, behind the answers: usage that the upstream has listed is
 * answered whether the ledger can be written or not. What could not be written is kept and tried again: the upstream may
 * have moved on meanwhile.
 */
import { hash } from 'node:crypto'
import { setImmediate as letOthersRun, setTimeout as wait } from 'node:timers/promises'
import type { Organization } from '#model/organization.ts'
import type { Id } from '#model/report.ts'
import { DEFAULT_ORGANIZATION } from './access.ts'
import { canonicalContent } from './content-digest.ts'
import { isId } from './incoming-message.ts'
import type { Intake, PricedMessage } from './intake.ts'

export type UpstreamRecorder = {
  /** Is handed each listing that was answered. */
  readonly seen: (listing: Iterable<PricedMessage>) => void
  /** Resolves once what was seen until now has been written, or an attempt at it has failed. */
  readonly settled: () => Promise<void>
  /** The same, and does not try again. */
  readonly close: () => Promise<void>
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
const RETRY_AFTER_MS = 1000

export const createUpstreamRecorder = (needs: UpstreamRecorderNeeds): UpstreamRecorder => {
  const { intake, findOrganization, observe } = needs
  /** Fingerprints of the pieces of the latest listing, all of which are written or pending: it mostly grows at its end. */
  let known: ReadonlySet<string> = new Set()
  const listings: Iterable<PricedMessage>[] = []
  /** By id, as it was seen last. */
  const pending = new Map<Id, PricedMessage>()
  let running: Promise<void> | undefined
  let waiting: (() => void)[] = []
  let isClosing = false

  const wakeWaiting = (): void => {
    for (const wake of waiting) wake()
    waiting = []
  }

  const merge = async (listing: Iterable<PricedMessage>): Promise<void> => {
    const fingerprints = new Set<string>()
    for (const piece of piecesOf(keepable(listing, (unkept) => observe({ unkept })))) {
      const fingerprint = fingerprintOf(piece)
      if (!known.has(fingerprint)) for (const each of piece) pending.set(each.message.id, each)
      fingerprints.add(fingerprint)
      await letOthersRun()
    }
    known = fingerprints
  }

  const writePiece = async (organization: Organization, piece: readonly PricedMessage[]): Promise<void> => {
    const outcomes = await intake.record(organization, piece)
    for (const each of piece) if (pending.get(each.message.id) === each) pending.delete(each.message.id)
    const countOf = (status: string): number => outcomes.filter((each) => each.status === status).length
    const [accepted, amended] = [countOf('accepted'), countOf('amended')]
    if (accepted + amended > 0) observe({ accepted, amended })
  }

  const run = async (): Promise<void> => {
    for (;;) {
      for (let listing = listings.shift(); listing !== undefined; listing = listings.shift()) await merge(listing)
      if (pending.size === 0) break
      try {
        const organization = await findOrganization(DEFAULT_ORGANIZATION)
        if (organization === undefined) throw new Error('the organization default is not there')
        await writePiece(organization, [...pending.values().take(MESSAGES_A_PIECE)])
      } catch (error) {
        observe({ error })
        wakeWaiting()
        if (isClosing) break
        await wait(RETRY_AFTER_MS, undefined, { ref: false })
      }
    }
    running = undefined
    wakeWaiting()
  }

  const settled = (): Promise<void> =>
    running === undefined ? Promise.resolve() : new Promise((resolve) => waiting.push(resolve))

  return {
    seen: (listing) => {
      listings.push(listing)
      running ??= run()
    },
    settled,
    close: () => {
      isClosing = true
      return settled()
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
