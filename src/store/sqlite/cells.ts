/** The ids of cells. An id never changes its meaning, so both directions are remembered. */
import type { DatabaseSync } from 'node:sqlite'
import type { Cell } from '#model/cell.ts'
import type { EpochMs } from '#model/organization.ts'
import { CELL_COLUMNS, cellValues, toCell } from '../shared/rows.ts'

const REMEMBERED_MAX = 100_000

export class Cells {
  readonly #find
  readonly #add
  readonly #read
  readonly #ids = new Map<string, number>()
  /** Of each organization, by id: a joined key would take longer than finding the cell. */
  readonly #cells = new Map<string, Map<number, Cell>>()
  #cellsCount = 0

  constructor(database: DatabaseSync) {
    this.#find = database.prepare(`
      SELECT cell_id FROM cell
      WHERE organization_id = ? AND ${CELL_COLUMNS.map((column) => `${column} = ?`).join(' AND ')}`)
    this.#add = database.prepare(`
      INSERT INTO cell (organization_id, cell_id, ${CELL_COLUMNS.join(', ')})
      SELECT ?1, coalesce(max(cell_id), 0) + 1, ${CELL_COLUMNS.map((_, index) => `?${index + 2}`).join(', ')}
      FROM cell WHERE organization_id = ?1
      RETURNING cell_id`)
    this.#read = database.prepare('SELECT * FROM cell WHERE organization_id = ? AND cell_id = ?')
  }

  /** The id of a cell, which is added if it is new. Runs inside the caller's transaction. */
  idOf(organizationId: string, cell: Cell): number {
    const values = cellValues(cell)
    const key = JSON.stringify([organizationId, ...values])
    const known = this.#ids.get(key)
    if (known !== undefined) return known
    const found = this.#find.get(organizationId, ...values) ?? this.#add.get(organizationId, ...values)
    const id = found?.['cell_id'] as number
    this.#remember(key, id)
    return id
  }

  /** The id of a cell whose names a billing period is known to have, so that it counts as itself there. */
  knownIn(organizationId: string, periodStart: EpochMs, cell: Cell): number | undefined {
    return this.#ids.get(keyIn(organizationId, periodStart, cell))
  }

  rememberIn(organizationId: string, periodStart: EpochMs, cell: Cell, id: number): void {
    this.#remember(keyIn(organizationId, periodStart, cell), id)
  }

  #remember(key: string, id: number): void {
    if (this.#ids.size >= REMEMBERED_MAX) this.#ids.clear()
    this.#ids.set(key, id)
  }

  cellOf(organizationId: string, id: number): Cell {
    return this.#cells.get(organizationId)?.get(id) ?? this.#readCell(organizationId, id)
  }

  #readCell(organizationId: string, id: number): Cell {
    const row = this.#read.get(organizationId, id)
    if (row === undefined) throw new Error(`a record names cell ${id}, which does not exist`)
    if (this.#cellsCount >= REMEMBERED_MAX) this.#forgetCells()
    const cell = toCell(row)
    const own = this.#cells.get(organizationId) ?? new Map<number, Cell>()
    this.#cells.set(organizationId, own.set(id, cell))
    this.#cellsCount++
    return cell
  }

  #forgetCells(): void {
    this.#cells.clear()
    this.#cellsCount = 0
  }

  /** Call after a rollback: cells that the transaction added no longer exist. */
  rolledBack(): void {
    this.#ids.clear()
    this.#forgetCells()
  }
}

const keyIn = (organizationId: string, periodStart: EpochMs, cell: Cell): string =>
  JSON.stringify([organizationId, periodStart, ...cellValues(cell)])
