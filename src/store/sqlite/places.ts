/** Where the messages of a batch count: finds the cell of each, and the names that its record keeps because the cell lacks them. */
import type { DatabaseSync } from 'node:sqlite'
import type { Cell } from '#model/cell.ts'
import type { EpochMs } from '#model/organization.ts'
import { hasNames, type Names, type Others } from '../shared/others.ts'
import type { Cells } from './cells.ts'
import { createRun, type Run } from './lookups.ts'

export class Placing {
  readonly #cells: Cells
  readonly #others: Others
  readonly #run: Run

  constructor(database: DatabaseSync, cells: Cells, others: Others) {
    this.#cells = cells
    this.#others = others
    this.#run = createRun(database)
  }

  /** The places of a batch with these cells. */
  of(organizationId: string, cells: readonly Cell[]): Places {
    const place = this.#others.placing(organizationId)
    return new Places(cells, (cell, periodStart, keep) => {
      if (!hasNames(cell)) return this.#cells.idOf(organizationId, cell)
      const known = this.#cells.knownIn(organizationId, periodStart, cell)
      if (known !== undefined) return known
      const { cell: counted, others, isKnown } = this.#run(place(cell, periodStart))
      if (others !== undefined) keep(others)
      const id = this.#cells.idOf(organizationId, counted)
      if (isKnown) this.#cells.rememberIn(organizationId, periodStart, cell, id)
      return id
    })
  }
}

type FindId = (cell: Cell, periodStart: EpochMs, keep: (others: Names) => void) => number

/** Finds each place once, when it is needed. A cell is given by its index. */
export class Places {
  readonly #cells: readonly Cell[]
  readonly #findId: FindId
  readonly #haveNames: boolean
  readonly #idsByPeriod = new Map<EpochMs, (number | undefined)[]>()
  /** Those of the latest row's period: rows follow each other in the same one. */
  #ids: (number | undefined)[]
  #periodStart: EpochMs | undefined
  /** By period and cell. Undefined until a message counts to `(other)`. */
  #others: Map<EpochMs, Map<number, Names>> | undefined

  constructor(cells: readonly Cell[], findId: FindId) {
    this.#cells = cells
    this.#findId = findId
    this.#haveNames = cells.some(hasNames)
    this.#ids = this.#noIds()
  }

  idOf(cell: number, periodStart: EpochMs): number {
    // Without names, a cell has the same place in all periods.
    if (this.#haveNames && periodStart !== this.#periodStart) this.#turnTo(periodStart)
    return this.#ids[cell] ?? this.#find(cell, periodStart)
  }

  /** Whether records keep names. Call `idOf` of their cells first. */
  get hasOthers(): boolean {
    return this.#others !== undefined
  }

  /** The names that a record keeps. Call `idOf` first. */
  othersOf(cell: number, periodStart: EpochMs): Names | undefined {
    return this.#others?.get(periodStart)?.get(cell)
  }

  #turnTo(periodStart: EpochMs): void {
    this.#ids = this.#idsByPeriod.get(periodStart) ?? this.#noIds()
    this.#idsByPeriod.set(periodStart, this.#ids)
    this.#periodStart = periodStart
  }

  #noIds(): (number | undefined)[] {
    return Array.from({ length: this.#cells.length })
  }

  #find(cell: number, periodStart: EpochMs): number {
    const id = this.#findId(this.#cells[cell] as Cell, periodStart, (names) => {
      this.#others ??= new Map()
      const ofPeriod = this.#others.get(periodStart) ?? new Map<number, Names>()
      this.#others.set(periodStart, ofPeriod.set(cell, names))
    })
    this.#ids[cell] = id
    return id
  }
}
