/** Finds where the messages of a group count, before it is written: what is written is decided by pure functions. */
import { dayAt } from '#ledger/priced-batch.ts'
import type { Cell } from '#model/cell.ts'
import { CALENDAR_BEGINS, type EpochMs } from '#model/organization.ts'
import { hasNames, type Names, type Others } from '../shared/others.ts'
import { type Row, runStepsAsync, type Step } from '../shared/steps.ts'
import type { AppendGroup, Placed, PlaceFinder } from './settling.ts'

type Needs = {
  readonly others: Others
  /** Adjustments count in the period that starts here. */
  readonly closedUntil: EpochMs
  readonly read: (step: Step) => Promise<readonly Row[]>
  readonly idsOf: (cells: readonly Cell[]) => readonly bigint[] | Promise<readonly bigint[]>
}

export const findPlaces = async (group: AppendGroup, needs: Needs): Promise<PlaceFinder> => {
  const cells = group.batches.flatMap(({ priced }) => priced.cells)
  if (!cells.some(hasNames)) {
    // Without names, a cell has the same place in all periods.
    const places = (await needs.idsOf(cells)).map((cellId): Placed => ({ cellId, others: undefined }))
    return (cell) => places[cell] as Placed
  }
  const found = await findInPeriods(group, cells, needs)
  const ids = await needs.idsOf(found.map(({ cell }) => cell))
  const byPeriod = new Map<EpochMs, Map<number, Placed>>()
  for (const [number, { index, periodStart, others }] of found.entries()) {
    const period = byPeriod.get(periodStart) ?? new Map<number, Placed>()
    byPeriod.set(periodStart, period.set(index, { cellId: ids[number] as bigint, others }))
  }
  return (cell, periodStart) => byPeriod.get(periodStart)?.get(cell) as Placed
}

/** A place without its id, for the cell with an index in a period. */
type FoundPlace = {
  readonly index: number
  readonly periodStart: EpochMs
  readonly cell: Cell
  readonly others: Names | undefined
}

const findInPeriods = async (
  group: AppendGroup,
  cells: readonly Cell[],
  { others, closedUntil, read }: Needs,
): Promise<readonly FoundPlace[]> => {
  const place = others.placing(group.organizationId)
  const found: FoundPlace[] = []
  for (const [periodStart, indexes] of cellsByPeriod(group, cells.length, closedUntil)) {
    for (const index of indexes) {
      const cell = cells[index] as Cell
      const { cell: counted, others } = hasNames(cell)
        ? await runStepsAsync(place(cell, periodStart), read)
        : { cell, others: undefined }
      found.push({ index, periodStart, cell: counted, others })
    }
  }
  return found
}

/** Each cell in the periods of its rows, and in that of adjustments if there can be any. */
const cellsByPeriod = (
  { batches }: AppendGroup,
  cells: number,
  closedUntil: EpochMs,
): ReadonlyMap<EpochMs, Iterable<number>> => {
  const days = batches.flatMap(({ priced }) => priced.days)
  const starts = new Set(days.filter(({ start }) => start >= closedUntil).map(({ periodStart }) => periodStart))
  if (closedUntil > CALENDAR_BEGINS) starts.add(closedUntil)
  // Most groups have one period, and then no row needs to be looked at.
  if (starts.size === 1) return new Map([...starts].map((start) => [start, Array(cells).keys()]))
  const periods = new Map<EpochMs, Set<number>>()
  const add = (periodStart: EpochMs, cell: number): void => {
    periods.set(periodStart, (periods.get(periodStart) ?? new Set()).add(cell))
  }
  let firstCell = 0
  for (const { priced } of batches) {
    for (let row = 0; row < priced.count; row++) {
      const cell = firstCell + (priced.cellOf[row] as number)
      const day = dayAt(priced, row)
      if (day.start >= closedUntil) add(day.periodStart, cell)
      if (closedUntil > CALENDAR_BEGINS) add(closedUntil, cell)
    }
    firstCell += priced.cells.length
  }
  return periods
}
