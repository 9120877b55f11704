/** What an append writes, and what becomes of each message. Pure. */
import { type Counted, settle } from '#deciding/appending.ts'
import type { AppendBatch, AppendOutcome } from '#ledger/ledger.ts'
import { cellAt, creditsAt, dayAt, digestAt, factsAt, type PricedBatch } from '#ledger/priced-batch.ts'
import type { EpochMs } from '#model/organization.ts'
import type { Id } from '#model/report.ts'
import { canonicalTimestamp } from '#model/timestamp.ts'
import type { NewRecord, Superseded, Writing } from './write-statement.ts'

/** Batches of one organization that are written together. */
export type AppendGroup = Pick<AppendBatch, 'organizationId' | 'onChange' | 'cardsVersion'> & {
  readonly batches: readonly Pick<AppendBatch, 'priced' | 'recordedAt'>[]
}

/** For each batch, the outcomes of its rows, or undefined if all were accepted. */
export type GroupOutcomes = readonly (readonly AppendOutcome[] | undefined)[]

/** A charge that counts. `record` is present if it is about to be written. */
export type Held = Counted & { readonly cellId: bigint; readonly record?: Draft }

type Draft = { -readonly [Field in keyof NewRecord]: NewRecord[Field] }

/** One row of a batch. */
type Place = {
  readonly priced: PricedBatch
  readonly row: number
  readonly cellId: bigint
  readonly recordedAt: EpochMs
}

/** All rows as first charges of their messages, or undefined if some are not: the same id twice, or from a closed period. */
export const firstCharges = (
  group: AppendGroup,
  cellIds: readonly bigint[],
  closedUntil: EpochMs,
): readonly NewRecord[] | undefined => {
  if (group.batches.some(({ priced }) => priced.days.some(({ start }) => start < closedUntil))) return undefined
  const places = placesOf(group, cellIds)
  if (new Set(places.map(idAt)).size < places.length) return undefined
  return places.map((place) => ({
    ...asReported(place),
    revision: 0,
    at: place.priced.at[place.row] as EpochMs,
    day: dayAt(place.priced, place.row),
    credits: creditsAt(place.priced, place.row),
    supersededBy: undefined,
    ownAt: undefined,
  }))
}

/** Decides about one row after the other. `held` has the charges of each message that count, in order of their revisions. */
export const settleAll = (
  group: AppendGroup,
  cellIds: readonly bigint[],
  held: Map<Id, readonly Held[]>,
  closedUntil: EpochMs,
): Writing & { readonly outcomes: GroupOutcomes } => {
  const records: Draft[] = []
  const superseded: Superseded[] = []
  const outcomes = placesOf(group, cellIds).map((place): AppendOutcome => {
    const { priced, row, cellId } = place
    const messageId = idAt(place)
    const counted = held.get(messageId) ?? []
    const reported = reportedAt(place)
    const settled = settle(counted, reported, { onChange: group.onChange, closedUntil })
    if (!('charged' in settled)) return settled
    const { revision, supersedes, charged, isAdjustment, ...outcome } = settled
    const at = priced.at[row] as EpochMs
    const record: Draft = {
      ...asReported(place),
      revision,
      at: isAdjustment ? closedUntil : at,
      day: isAdjustment ? { start: closedUntil, periodStart: closedUntil } : dayAt(priced, row),
      credits: charged,
      supersededBy: undefined,
      ownAt: isAdjustment ? at : undefined,
    }
    records.push(record)
    const [old, kept] = partition(counted, (each) => supersedes.includes(each.revision))
    for (const each of old) {
      if (each.record !== undefined) each.record.supersededBy = revision
      else superseded.push({ ...each, messageId, by: revision })
    }
    held.set(messageId, [
      ...kept,
      { ...reported, revision, credits: charged, dayStart: record.day.start, cellId, record },
    ])
    return outcome
  })
  return { records, superseded, outcomes: byBatch(group, outcomes) }
}

const placesOf = ({ batches }: AppendGroup, cellIds: readonly bigint[]): readonly Place[] => {
  const places: Place[] = []
  let firstCell = 0
  for (const { priced, recordedAt } of batches) {
    for (let row = 0; row < priced.count; row++) {
      places.push({ priced, row, cellId: cellIds[firstCell + (priced.cellOf[row] as number)] as bigint, recordedAt })
    }
    firstCell += priced.cells.length
  }
  return places
}

const idAt = ({ priced, row }: Place): Id => priced.messageIds[row] as Id

/** The fields that a record takes from its message as they are. */
const asReported = (place: Place) => ({
  messageId: idAt(place),
  cellId: place.cellId,
  recordedAt: place.recordedAt,
  timestamp: place.priced.timestamps[place.row],
  facts: factsAt(place.priced, place.row),
  digest: digestAt(place.priced, place.row),
})

const reportedAt = ({ priced, row }: Place) => ({
  credits: creditsAt(priced, row),
  dayStart: dayAt(priced, row).start,
  timestamp: priced.timestamps[row] ?? canonicalTimestamp(priced.at[row] as EpochMs),
  cell: cellAt(priced, row),
  digest: digestAt(priced, row),
})

const partition = <T>(values: readonly T[], belongs: (value: T) => boolean): readonly [readonly T[], readonly T[]] => [
  values.filter(belongs),
  values.filter((value) => !belongs(value)),
]

const byBatch = ({ batches }: AppendGroup, outcomes: readonly AppendOutcome[]): GroupOutcomes => {
  let from = 0
  return batches.map(({ priced: { count } }) => {
    const own = outcomes.slice(from, from + count)
    from += count
    return own.every(({ status }) => status === 'accepted') ? undefined : own
  })
}
