/** What an append writes, and what becomes of each message. Pure. */
import { type Counted, settle } from '#deciding/appending.ts'
import type { AppendBatch, AppendOutcome } from '#ledger/ledger.ts'
import { cellAt, creditsAt, dayAt, digestAt, factsAt, type PricedBatch } from '#ledger/priced-batch.ts'
import type { EpochMs } from '#model/organization.ts'
import type { Id } from '#model/report.ts'
import { canonicalTimestamp } from '#model/timestamp.ts'
import type { Names } from '../shared/others.ts'
import type { NewRecord, Superseded, Writing } from './write-statement.ts'

/** Batches of one organization that are written together. */
export type AppendGroup = Pick<AppendBatch, 'organizationId' | 'onChange' | 'cardsVersion'> & {
  readonly batches: readonly Pick<AppendBatch, 'priced' | 'recordedAt' | 'revisions'>[]
}

/** For each batch, the outcomes of its rows, or undefined if all were accepted. */
export type GroupOutcomes = readonly (readonly AppendOutcome[] | undefined)[]

/** A charge that counts. `record` is present if it is about to be written. */
export type Held = Counted & { readonly cellId: bigint; readonly record?: Draft }

type Draft = { -readonly [Field in keyof NewRecord]: NewRecord[Field] }

export type Placed = { readonly cellId: bigint; readonly others: Names | undefined }

/** Where the messages of a cell count in a billing period. A cell has its index among those of all batches. */
export type PlaceFinder = (cell: number, periodStart: EpochMs) => Placed

/** One row of a batch. */
type BatchRow = {
  readonly priced: PricedBatch
  readonly row: number
  /** The index of its cell among those of all batches. */
  readonly cell: number
  readonly recordedAt: EpochMs
  readonly pricedFrom: number | undefined
}

/** All rows as first charges of their messages, or undefined if some are not: the same id twice, or from a closed period. */
export const firstCharges = (
  group: AppendGroup,
  placeOf: PlaceFinder,
  closedUntil: EpochMs,
): readonly NewRecord[] | undefined => {
  if (group.batches.some(({ priced }) => priced.days.some(({ start }) => start < closedUntil))) return undefined
  const rows = rowsOf(group)
  if (new Set(rows.map(idAt)).size < rows.length) return undefined
  return rows.map((batchRow) => {
    const { priced, row, cell } = batchRow
    const day = dayAt(priced, row)
    return {
      ...asReported(batchRow),
      ...placeOf(cell, day.periodStart),
      revision: 0,
      at: priced.at[row] as EpochMs,
      day,
      credits: creditsAt(priced, row),
      supersededBy: undefined,
      ownAt: undefined,
    }
  })
}

/** Decides about one row after the other. `held` has the charges of each message that count, in order of their revisions. */
export const settleAll = (
  group: AppendGroup,
  placeOf: PlaceFinder,
  held: Map<Id, readonly Held[]>,
  closedUntil: EpochMs,
): Writing & { readonly outcomes: GroupOutcomes } => {
  const records: Draft[] = []
  const superseded: Superseded[] = []
  const outcomes = rowsOf(group).map((batchRow): AppendOutcome => {
    const { priced, row, cell } = batchRow
    const messageId = idAt(batchRow)
    const counted = held.get(messageId) ?? []
    const reported = reportedAt(batchRow)
    const settled = settle(counted, reported, {
      onChange: group.onChange,
      closedUntil,
      pricedFrom: batchRow.pricedFrom,
    })
    if (!('charged' in settled)) return settled
    const { revision, supersedes, charged, isAdjustment, ...outcome } = settled
    const at = priced.at[row] as EpochMs
    const day = isAdjustment ? { start: closedUntil, periodStart: closedUntil } : dayAt(priced, row)
    const place = placeOf(cell, day.periodStart)
    const record: Draft = {
      ...asReported(batchRow),
      ...place,
      revision,
      at: isAdjustment ? closedUntil : at,
      day,
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
      { ...reported, revision, credits: charged, dayStart: day.start, cellId: place.cellId, record },
    ])
    return outcome
  })
  return { records, superseded, outcomes: byBatch(group, outcomes) }
}

const rowsOf = ({ batches }: AppendGroup): readonly BatchRow[] => {
  const rows: BatchRow[] = []
  let firstCell = 0
  for (const { priced, recordedAt, revisions } of batches) {
    for (let row = 0; row < priced.count; row++) {
      const cell = firstCell + (priced.cellOf[row] as number)
      rows.push({ priced, row, cell, recordedAt, pricedFrom: revisions?.[row] })
    }
    firstCell += priced.cells.length
  }
  return rows
}

const idAt = ({ priced, row }: BatchRow): Id => priced.messageIds[row] as Id

/** The fields that a record takes from its message as they are. */
const asReported = ({ priced, row, recordedAt }: BatchRow) => ({
  messageId: priced.messageIds[row] as Id,
  recordedAt,
  timestamp: priced.timestamps[row],
  facts: factsAt(priced, row),
  digest: digestAt(priced, row),
})

const reportedAt = ({ priced, row }: BatchRow) => ({
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
