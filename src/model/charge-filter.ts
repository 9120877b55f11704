import { type Cell, type CellFilter, createCellTest } from './cell.ts'
import type { Credits } from './credits.ts'

/** Which charges are meant: those of the cells that are, of at least so many credits. An unpriced message has none. */
export type ChargeFilter = CellFilter & { readonly minCredits?: Credits }

/** Returns whether a charge is meant. */
export const createChargeTest = (filter: ChargeFilter) => {
  const isMeant = createCellTest(filter)
  const { minCredits } = filter
  return ({ cell, credits }: { readonly cell: Cell; readonly credits?: Credits }): boolean =>
    isMeant(cell) && (minCredits === undefined || (credits !== undefined && credits >= minCredits))
}
