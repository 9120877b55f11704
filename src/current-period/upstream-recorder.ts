/**
 * Writes the messages that the Copilot service lists to the ledger of `default`, in the background: a listing is served whether or
 * not the ledger can be written. Failed writes are retried. The backlog is limited: charges that find no room are taken from the
 * next listing, and those that the next listing no longer contains are a gap, which is counted.
 */
import { setImmediate as letOthersRun, setTimeout as wait } from 'node:timers/promises'
import type { Intake } from '#intake/intake.ts'
import { laterBy, type MonotonicClock, NEVER } from '#model/clock.ts'
import { creditsSum } from '#model/credits.ts'
import { StoreError } from '#model/errors.ts'
import type { EpochMs, Organization } from '#model/organization.ts'
import { DEFAULT_ORGANIZATION } from '#model/organization.ts'
import type { Id } from '#model/report.ts'
import type { Priced } from '#model/usage-record.ts'
import { isSameCharge, type Listing, type UsageSum } from './listing.ts'

export type UpstreamRecorder = {
  /** Takes each listing that the upstream has confirmed. */
  readonly seen: (listing: Listing) => void
  /** Writes charges of the latest listing again, because the ledger lacks them or has other values. */
  readonly rewrite: (charges: readonly Priced[]) => void
  /** Resolves once everything seen so far is written. Throws the error of the first attempt that fails. */
  readonly settled: () => Promise<void>
  /** What was listed but never recorded, because it was no longer listed when there was room for it. */
  readonly gap: () => Gap | undefined
  /** Writes the backlog for up to five seconds, without retries. The rest is taken from the listing after the next start. */
  readonly close: () => Promise<void>
}

/** `from` and `to` are the instants of the first and the last lost message. */
export type Gap = UsageSum & { readonly from: EpochMs; readonly to: EpochMs }

export type RecordingOutcome =
  | { readonly amended: number; readonly accepted: number }
  /** Charges could not be written; `waiting` is the length of the backlog. */
  | { readonly error: unknown; readonly waiting: number }
  /** `lost` messages are no longer listed and were never recorded; `ids` are some of them. */
  | { readonly lost: number; readonly ids: readonly Id[] }
  /** The process ends with a backlog of this length. */
  | { readonly abandoned: number }

export type UpstreamRecorderNeeds = {
  readonly intake: Pick<Intake, 'record'>
  readonly findOrganization: (id: string) => Promise<Organization | undefined>
  readonly observe: (outcome: RecordingOutcome) => void
  readonly now: MonotonicClock
  /** Maximum length of the backlog. */
  readonly waitingMax?: number
}

const CHARGES_PER_PIECE = 500
const CHARGES_PER_TURN = 5000
const RETRY_AFTER_MS = 1000
/** Half of the default time limit for a shutdown. */
const CLOSE_WITHIN_MS = 5000
/** About 40 MB, and about a second to write. */
const WAITING_MAX = 100_000
const IDS_REPORTED = 10

export const createUpstreamRecorder = (needs: UpstreamRecorderNeeds): UpstreamRecorder => {
  const { intake, findOrganization, observe, now, waitingMax = WAITING_MAX } = needs
  /** The latest listing that was merged. Each of its charges is written, waits in the backlog, or found no room there. */
  let latest: ReadonlyMap<Id, Priced> = new Map()
  let overflow: ReadonlySet<Id> = new Set()
  /** The listing that was seen last. */
  let newest: ReadonlyMap<Id, Priced> | undefined
  const pending = new Map<Id, Priced>()
  let gap: Gap | undefined
  let merging: Promise<void> = Promise.resolve()
  let isMerging = 0
  let writing: Promise<void> | undefined
  let waiting: { readonly resolve: () => void; readonly reject: (error: unknown) => void }[] = []
  const closing = new AbortController()
  let deadline = NEVER

  /** Adds a charge to the backlog. False if there is no room. */
  const offer = (charge: Priced): boolean => {
    const hasRoom = pending.size < waitingMax || pending.has(charge.messageId)
    if (hasRoom) pending.set(charge.messageId, charge)
    return hasRoom
  }

  const merge = async (listing: ReadonlyMap<Id, Priced>): Promise<void> => {
    const missed = new Set<Id>()
    let count = 0
    for (const [id, charge] of listing) {
      const known = overflow.has(id) ? undefined : latest.get(id)
      if ((known === undefined || !isSameCharge(known, charge)) && !offer(charge)) missed.add(id)
      if (++count % CHARGES_PER_TURN === 0) await letOthersRun()
    }
    const lost = [...overflow].flatMap((id) => (listing.has(id) ? [] : (latest.get(id) ?? [])))
    latest = listing
    overflow = missed
    if (lost.length === 0) return
    gap = lost.reduce(widened, gap)
    observe({ lost: lost.length, ids: lost.slice(0, IDS_REPORTED).map(({ messageId }) => messageId) })
  }

  /** Adds the charges that found no room before, now that there is some. */
  const refill = (): void => {
    const missed = new Set(overflow)
    for (const id of overflow) {
      const charge = latest.get(id)
      if (charge !== undefined && !offer(charge)) break
      missed.delete(id)
    }
    overflow = missed
  }

  const writePiece = async (): Promise<void> => {
    const organization = await findOrganization(DEFAULT_ORGANIZATION)
    if (organization === undefined) throw new Error('the organization "default" does not exist')
    const piece = [...pending.values().take(CHARGES_PER_PIECE)]
    const { accepted, amended } = await intake.record(organization, piece)
    for (const each of piece) if (pending.get(each.messageId) === each) pending.delete(each.messageId)
    if (accepted + amended > 0) observe({ accepted, amended })
  }

  const write = async (): Promise<void> => {
    while (now() < deadline && (isMerging > 0 || pending.size > 0 || overflow.size > 0)) {
      if (pending.size === 0) await merging
      if (pending.size < waitingMax / 2 && overflow.size > 0) refill()
      if (pending.size === 0) continue
      try {
        await writePiece()
      } catch (error) {
        observe({ error, waiting: pending.size + overflow.size })
        settleWaiting(error)
        if (closing.signal.aborted) break
        await wait(RETRY_AFTER_MS, undefined, { ref: false, signal: closing.signal }).catch(() => {})
      }
    }
    writing = undefined
    const isWritten = pending.size === 0 && overflow.size === 0
    settleWaiting(
      isWritten ? undefined : new StoreError('the service is shutting down before the listing is fully recorded'),
    )
  }

  const start = (): void => {
    // Deferred, because a `write` that ends at once would reset `writing` before it is set.
    writing ??= Promise.resolve().then(write)
  }

  const settleWaiting = (error?: unknown): void => {
    const waiters = waiting
    waiting = []
    for (const { resolve, reject } of waiters) error === undefined ? resolve() : reject(error)
  }

  const settled = (): Promise<void> =>
    writing === undefined ? Promise.resolve() : new Promise((resolve, reject) => waiting.push({ resolve, reject }))

  return {
    seen: ({ byId }) => {
      if (byId === newest) return
      newest = byId
      isMerging++
      // In a later turn, because clients are waiting for this listing.
      merging = merging
        .then(() => letOthersRun())
        .then(() => merge(byId))
        .finally(() => isMerging--)
      start()
    },
    rewrite: (charges) => {
      // A charge that finds no room here is found again by the next comparison.
      for (const charge of charges) offer(charge)
      start()
    },
    settled,
    gap: () => gap,
    close: async () => {
      deadline = laterBy(now(), CLOSE_WITHIN_MS)
      closing.abort()
      await settled().catch(() => {})
      const abandoned = pending.size + overflow.size
      if (abandoned > 0) observe({ abandoned })
    },
  }
}

const widened = (gap: Gap | undefined, { at, credits }: Priced): Gap => ({
  messages: (gap?.messages ?? 0) + 1,
  unpriced: (gap?.unpriced ?? 0) + Number(credits === undefined),
  credits: creditsSum((gap?.credits ?? 0n) + BigInt(credits ?? 0)),
  from: Math.min(gap?.from ?? at, at),
  to: Math.max(gap?.to ?? at, at),
})
