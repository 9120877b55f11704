/**
 * Reads every charge of a range as of one moment, however long that takes. A read that lasts keeps the log of the database from
 * being reset, so the range is read in stretches of whole days, each in a read of its own. The last one compares the versions of
 * all days with those that were read. If another process has changed a day meanwhile, everything is read again.
 */
import { setImmediate as letOthersRun } from 'node:timers/promises'
import { dayAt } from '#calendar/days.ts'
import type { KeptCharges } from '#ledger/kept-charges.ts'
import { keptPieces } from '#ledger/kept-pieces.ts'
import type { Ledger, LedgerView, Range } from '#ledger/ledger.ts'
import type { EpochMs, Organization } from '#model/organization.ts'

/** Takes one piece after the other, in order of time. */
export type ChargeReader = { readonly take: (charges: KeptCharges) => void }

export type OneMoment<T> = { readonly result: T; readonly closedUntil: EpochMs }

export type ReadingOptions = {
  readonly signal?: AbortSignal | undefined
  readonly progress?: ((done: number, total: number) => void) | undefined
}

/** Such a stretch is read in a fraction of a second. */
const STRETCH_MESSAGES = 100_000
/** The last attempt is a single read, which nothing can change. */
const ATTEMPTS = 3

/** `create` makes the reader of an attempt. Throws StoreError or the reason of `signal`. */
export const readAtOneMoment = async <T extends ChargeReader>(
  ledger: Pick<Ledger, 'read'>,
  { id, calendar }: Organization,
  range: Range,
  create: () => T,
  { signal, progress }: ReadingOptions = {},
): Promise<OneMoment<T>> => {
  const versionOf = (view: LedgerView, { from, to }: Range): Promise<number> =>
    view.version({ from: dayAt(calendar, from).start, to })

  for (let attempt = 1; ; attempt++) {
    const { stretches, total } = await ledger.read(id, (view) => stretchesOf(view, calendar, range), { signal })
    const reader = create()
    let done = 0
    const take = (charges: KeptCharges): void => {
      reader.take(charges)
      done += charges.count
      progress?.(done, total)
    }
    let versions = 0
    let closedUntil: EpochMs | undefined
    for (const [index, stretch] of (attempt < ATTEMPTS ? stretches : [range]).entries()) {
      const isLast = attempt === ATTEMPTS || index === stretches.length - 1
      const isOneMoment = await ledger.read(
        id,
        async (view) => {
          versions += await versionOf(view, stretch)
          if (isLast && versions !== (await versionOf(view, range))) return false
          if (isLast) closedUntil = await view.closedUntil()
          for await (const piece of keptPieces(view, stretch)) {
            take(piece)
            await letOthersRun()
          }
          return true
        },
        { signal },
      )
      if (!isOneMoment) break
    }
    if (closedUntil !== undefined) return { result: reader, closedUntil }
  }
}

/** Of whole days. */
export const countMessages = async (
  ledger: Pick<Ledger, 'read'>,
  { organization: { id, calendar }, range }: { readonly organization: Organization; readonly range: Range },
  signal?: AbortSignal,
): Promise<number> => {
  const days = await ledger.read(id, (view) => daysIn(view, calendar, range), { signal })
  return messagesIn(days)
}

const daysIn = (view: LedgerView, calendar: Organization['calendar'], { from, to }: Range) =>
  view.dayTotals({ from: dayAt(calendar, from).start, to, group: [] })

const messagesIn = (days: readonly { readonly messages: number }[]): number =>
  days.reduce((sum, { messages }) => sum + messages, 0)

/** Consecutive, without gaps. Each ends with the first day that makes it large enough. */
const stretchesOf = async (
  view: LedgerView,
  calendar: Organization['calendar'],
  range: Range,
): Promise<{ readonly stretches: readonly Range[]; readonly total: number }> => {
  const { from, to } = range
  const days = await daysIn(view, calendar, range)
  const stretches: Range[] = []
  let start = from
  let messages = 0
  for (const [index, day] of days.entries()) {
    messages += day.messages
    const end = days[index + 1]?.dayStart
    if (end === undefined || messages < STRETCH_MESSAGES) continue
    stretches.push({ from: start, to: end })
    start = end
    messages = 0
  }
  stretches.push({ from: start, to })
  return { stretches, total: messagesIn(days) }
}
