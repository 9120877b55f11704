/** Finds where the messages of a group count, before it is written: what is written is decided by pure functions. */
import { dayAt } from '#ledger/priced-batch.ts'
import type { Cell } from '#model/cell.ts'
import { CALENDAR_BEGINS, type EpochMs } from '#model/organization.ts'
import { hasNames, type Others, type Place } from '../shared/others.ts'
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
  const ofNames = cells.some(hasNames) ? await placesOfNames(group, cells, needs) : NO_PLACES
  const plain = cells.filter((cell) => !hasNames(cell))
  const ids = await needs.idsOf([...plain, ...ofNames.map(({ cell }) => cell)])
  let next = 0
  const ofPlain = cells.map((cell) => (hasNames(cell) ? undefined : { cellId: ids[next++] as bigint, others: NONE }))
  const byPeriod = new Map<EpochMs, Map<number, Placed>>()
  for (const { index, periodStart, others } of ofNames) {
    const period = byPeriod.get(periodStart) ?? new Map<number, Placed>()
    byPeriod.set(periodStart, period.set(index, { cellId: ids[next++] as bigint, others }))
  }
  return (cell, periodStart) => (ofPlain[cell] ?? byPeriod.get(periodStart)?.get(cell)) as Placed
}

const NONE: Place['others'] = {}

type PlaceInPeriod = Place & { readonly index: number; readonly periodStart: EpochMs }

const NO_PLACES: readonly PlaceInPeriod[] = []

const placesOfNames = async (
  group: AppendGroup,
  cells: readonly Cell[],
  { others, closedUntil, read }: Needs,
): Promise<readonly PlaceInPeriod[]> => {
  const place = others.placing(group.organizationId)
  const places: PlaceInPeriod[] = []
  for (const [periodStart, indexes] of cellsByPeriod(group, closedUntil)) {
    for (const index of indexes) {
      const cell = cells[index] as Cell
      if (hasNames(cell)) places.push({ index, periodStart, ...(await runStepsAsync(place(cell, periodStart), read)) })
    }
  }
  return places
}

/** Each cell in the periods of its rows, and in that of adjustments if there can be any. */
const cellsByPeriod = ({ batches }: AppendGroup, closedUntil: EpochMs): ReadonlyMap<EpochMs, ReadonlySet<number>> => {
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
