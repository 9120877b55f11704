/**
 * The ids of cells. An id is a hash of the cell's dimensions, so processes give a cell the same id without asking each other. When
 * a process first sees a cell, it makes sure that the id belongs to it; after that it remembers the id.
 */
import { createHash } from 'node:crypto'
import type { ClientBase } from 'pg'
import type { Cell } from '#model/cell.ts'
import { CELL_COLUMNS, cellValues, toCell } from '../shared/rows.ts'
import type { Row } from '../shared/steps.ts'
import { bigints, texts } from './binary-arrays.ts'

/** About 300 bytes each. */
const REMEMBERED_MAX = 100_000

type Query = (sql: string, ...values: readonly unknown[]) => Promise<readonly Row[]>

export class Cells {
  /** By organization and dimensions. */
  readonly #ids = new Map<string, Map<string, bigint>>()
  #remembered = 0
  /** By organization and id. */
  readonly #cells = new Map<string, Cell>()

  /** The ids of cells of an organization, in their order, or undefined if one is not remembered. */
  idsOf(organizationId: string, cells: readonly Cell[]): readonly bigint[] | undefined {
    const known = this.#ids.get(organizationId)
    if (known === undefined) return undefined
    const ids: bigint[] = []
    for (const cell of cells) {
      const id = known.get(keyOf(cellValues(cell)))
      if (id === undefined) return undefined
      ids.push(id)
    }
    return ids
  }

  /** The same, after asking the database about those that are not remembered. Adds those that are new to it. */
  async learn(client: ClientBase, organizationId: string, cells: readonly Cell[]): Promise<readonly bigint[]> {
    const known = this.#ids.get(organizationId)
    const values = cells.map(cellValues)
    const unknown = new Map(values.map((each) => [keyOf(each), each] as const).filter(([key]) => !known?.has(key)))
    const learned = await findOrAdd(client, organizationId, unknown)
    this.#remember(organizationId, learned)
    return values.map((each) => (learned.get(keyOf(each)) ?? known?.get(keyOf(each))) as bigint)
  }

  /** Returns a function that finds the cell of each of the rows. `query` has the organization as its first value. */
  async cellsOf(organizationId: string, rows: readonly Row[], query: Query): Promise<(row: Row) => Cell> {
    const keyOfRow = (row: Row): string => `${row['cell_id']} ${organizationId}`
    const found = new Map<string, Cell>()
    const missing = new Set<unknown>()
    for (const row of rows) {
      const key = keyOfRow(row)
      const cell = this.#cells.get(key)
      if (cell === undefined) missing.add(row['cell_id'])
      else found.set(key, cell)
    }
    if (missing.size > 0) {
      for (const row of await query(SELECT, bigints([...missing].map((id) => BigInt(id as string))))) {
        if (this.#cells.size >= REMEMBERED_MAX) this.#cells.clear()
        const cell = toCell(row)
        this.#cells.set(keyOfRow(row), cell)
        found.set(keyOfRow(row), cell)
      }
    }
    return (row) => found.get(keyOfRow(row)) as Cell
  }

  /** Call if the database turns out not to have a remembered cell, for instance because a backup was restored. */
  forget(organizationId: string): void {
    this.#remembered -= this.#ids.get(organizationId)?.size ?? 0
    this.#ids.delete(organizationId)
  }

  #remember(organizationId: string, learned: ReadonlyMap<string, bigint>): void {
    if (this.#remembered + learned.size > REMEMBERED_MAX) {
      this.#ids.clear()
      this.#remembered = 0
    }
    const known = this.#ids.get(organizationId) ?? new Map<string, bigint>()
    this.#ids.set(organizationId, known)
    this.#remembered -= known.size
    for (const [key, id] of learned) known.set(key, id)
    this.#remembered += known.size
  }
}

const keyOf = (values: readonly string[]): string => values.join('\u0000')

/**
 * Finds or adds cells. If a cell's id is taken by another cell, its next id is tried: the hash with another salt. Any process
 * that looks for the cell passes the same taken ids, so it arrives at the same one.
 */
const findOrAdd = async (
  client: ClientBase,
  organizationId: string,
  cells: ReadonlyMap<string, readonly string[]>,
): Promise<ReadonlyMap<string, bigint>> => {
  const found = new Map<string, bigint>()
  let left = [...cells].map(([key, values]) => ({ key, values, salt: 0, id: hashOf(key, 0) }))
  while (left.length > 0) {
    const wanted = left.toSorted((one, other) => (one.id < other.id ? -1 : 1))
    const { rows } = await client.query(SELECT, [organizationId, bigints(wanted.map(({ id }) => id))])
    const holders = new Map(rows.map((row) => [BigInt(row.cell_id), keyOf(CELL_COLUMNS.map((column) => row[column]))]))
    const missing = wanted.filter(({ id }) => !holders.has(id))
    if (missing.length > 0) await client.query(INSERT, [organizationId, ...valuesOf(missing)])
    left = []
    for (const each of wanted) {
      const holder = holders.get(each.id)
      if (holder === each.key) found.set(each.key, each.id)
      // A missing one is looked for again, because another process may have given its id to another cell at the same time.
      else
        left.push(holder === undefined ? each : { ...each, salt: each.salt + 1, id: hashOf(each.key, each.salt + 1) })
    }
  }
  return found
}

type Wanted = { readonly values: readonly string[]; readonly id: bigint }

const valuesOf = (wanted: readonly Wanted[]): readonly Buffer[] => [
  bigints(wanted.map(({ id }) => id)),
  ...CELL_COLUMNS.map((_, index) => texts(wanted.map(({ values }) => values[index]))),
]

const COLUMNS = CELL_COLUMNS.join(', ')

const SELECT = `
  SELECT cell_id, ${COLUMNS} FROM cell
  WHERE organization_id = $1 AND cell_id = ANY($2::bigint[])`

/** In order of ids, so that processes that add the same cells wait for each other and do not deadlock. */
const INSERT = `
  INSERT INTO cell (organization_id, cell_id, ${COLUMNS})
  SELECT $1, cell_id, ${COLUMNS}
  FROM unnest($2::bigint[], ${CELL_COLUMNS.map((_, index) => `$${index + 3}::text[]`).join(', ')})
    AS input (cell_id, ${COLUMNS})
  ON CONFLICT (organization_id, cell_id) DO NOTHING`

/** 63 bits, so that the id is positive. */
const hashOf = (key: string, salt: number): bigint =>
  createHash('sha256').update(`${salt}\u0000${key}`).digest().readBigUInt64BE() >> 1n
