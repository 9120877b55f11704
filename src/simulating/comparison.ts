/** Compares what messages cost with what they would cost: in sums by several dimensions, and the messages that change most. */
import type { KeptCharges } from '#ledger/kept-charges.ts'
import { cellAt } from '#ledger/priced-batch.ts'
import { type Cell, type Dimension, type Grouped, groupOf, textOf } from '#model/cell.ts'
import { compareIds } from '#model/line-order.ts'
import type { EpochMs } from '#model/organization.ts'
import type { Id } from '#model/report.ts'
import { canonicalTimestamp } from '#model/timestamp.ts'
import { amountOf, Sums } from './sums.ts'

export const COMPARED = ['report', 'member', 'team', 'model'] as const satisfies readonly Dimension[]
export type Compared = (typeof COMPARED)[number]

/** `others` has everything that no group of its own shows. */
export type Groups<T> = { readonly groups: readonly (T & { readonly sums: Sums })[]; readonly others?: Sums }

export type ChangedMessage = {
  readonly messageId: Id
  readonly timestamp: string
  readonly cell: Cell
  /** NaN without a price. */
  readonly before: number
  readonly after: number
}

export type Compare = ReturnType<typeof createComparison>

/** Those that change most. */
const GROUPS_SHOWN = 100
const DAYS_SHOWN = 366
const MESSAGES_SHOWN = 10
/** How many groups of a dimension are told apart. All later ones are `others`. */
const GROUPS_MAX = 100_000

export const createComparison = () => {
  const total = new Sums()
  const days = new Map<EpochMs, Sums>()
  const dimensions = COMPARED.map((dimension) => createGroups(dimension))
  let largest: readonly ChangedMessage[] = []

  const consider = (charges: KeptCharges, row: number, before: number, after: number): void => {
    const change = Math.abs(amountOf(after) - amountOf(before))
    const least = largest[MESSAGES_SHOWN - 1]
    if (change === 0 || (least !== undefined && change <= changeOf(least))) return
    const at = charges.at[row] as EpochMs
    const messageId = charges.messageIds[row] as Id
    const timestamp = charges.timestamps[row] ?? canonicalTimestamp(at)
    const message = { messageId, timestamp, cell: cellAt(charges, row), before, after }
    // The sort is stable, so of equal changes the first in time comes first.
    largest = [...largest, message].sort((one, other) => changeOf(other) - changeOf(one)).slice(0, MESSAGES_SHOWN)
  }

  return {
    /** `after` has an amount for each charge. */
    add: (charges: KeptCharges, after: Float64Array): void => {
      const { count, credits, dayStarts, cells, cellOf } = charges
      for (let row = 0; row < count; ) {
        const day = dayStarts[row] as EpochMs
        const ofDay = days.get(day) ?? new Sums()
        days.set(day, ofDay)
        const ofCells: (Sums | undefined)[] = cells.map(() => undefined)
        for (; row < count && dayStarts[row] === day; row++) {
          const [was, is] = [credits[row] as number, after[row] as number]
          const cell = cellOf[row] as number
          const ofCell = ofCells[cell] ?? new Sums()
          ofCells[cell] = ofCell
          ofCell.add(was, is)
          consider(charges, row, was, is)
        }
        for (const [index, sums] of ofCells.entries()) {
          if (sums === undefined) continue
          ofDay.addAll(sums)
          total.addAll(sums)
          for (const groups of dimensions) groups.add(cells[index] as Cell, day, sums)
        }
      }
    },
    result: () => ({
      total,
      days: inTime(
        shown(
          [...days].map(([start, sums]) => ({ start, sums })),
          { most: DAYS_SHOWN },
        ),
      ),
      by: Object.fromEntries(COMPARED.map((name, index) => [name, dimensions[index]?.shown()])) as {
        readonly [Name in Compared]: Groups<Grouped>
      },
      largest,
    }),
  }
}

const changeOf = ({ before, after }: ChangedMessage): number => Math.abs(amountOf(after) - amountOf(before))

type Group = { cell: Cell; readonly sums: Sums; day: EpochMs }

const createGroups = (dimension: Compared) => {
  const groups = new Map<string, Group>()
  const untold = new Sums()
  return {
    add: (cell: Cell, day: EpochMs, sums: Sums): void => {
      const key = textOf(cell, dimension)
      let group = groups.get(key)
      if (group === undefined) {
        if (groups.size >= GROUPS_MAX) {
          untold.addAll(sums)
          return
        }
        group = { cell, sums: new Sums(), day }
        groups.set(key, group)
      }
      // A report has the name of its latest day; of several on that day, the greatest by code point.
      if (day > group.day || compareIds(cell.reportName ?? '', group.cell.reportName ?? '') > 0) {
        group.cell = cell
        group.day = day
      }
      group.sums.addAll(sums)
    },
    shown: (): Groups<Grouped> => {
      const all = [...groups.values()].map(({ cell, sums }) => ({ ...groupOf(cell, [dimension]), sums }))
      return shown(all, { untold })
    },
  }
}

/** Those that change most first; of equal changes, those with more messages. */
const shown = <T extends { readonly sums: Sums }>(
  all: readonly T[],
  { untold = new Sums(), most = GROUPS_SHOWN } = {},
): Groups<T> => {
  const sorted = all
    .map((group) => ({ group, size: sizeOf(group.sums.difference) }))
    .sort((one, other) => compare(other.size, one.size) || other.group.sums.messages - one.group.sums.messages)
    .map(({ group }) => group)
  const others = new Sums()
  others.addAll(untold)
  for (const { sums } of sorted.slice(most)) others.addAll(sums)
  return { groups: sorted.slice(0, most), ...(others.messages > 0 && { others }) }
}

const inTime = <T extends { readonly start: EpochMs }>({ groups, ...rest }: Groups<T>): Groups<T> => ({
  groups: groups.toSorted(({ start: one }, { start: other }) => one - other),
  ...rest,
})

const sizeOf = (difference: bigint): bigint => (difference < 0n ? -difference : difference)

const compare = (one: bigint, other: bigint): number => (one < other ? -1 : one > other ? 1 : 0)
