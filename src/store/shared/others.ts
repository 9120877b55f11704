/**
 * Models and features that count to `(other)`: names that come after an organization has had its `NAMES_MAX` in a billing period.
 * Otherwise a sender who makes up a name for every message would make the totals as large as the records.
 *
 * The cell to which such a message counts has `(other)` in place of the name, and its record keeps the name. A name that is
 * `(other)` itself is treated in the same way, so the two always go together.
 */
import type { StoreObserver } from '#ledger/notices.ts'
import { type Cell, type CellFilter, type Dimension, FIELD_OF } from '#model/cell.ts'
import type { EpochMs } from '#model/organization.ts'
import { query, type Row, type Steps } from './steps.ts'

export const OTHER = '(other)'

/** Of each dimension, per organization and billing period. */
export const NAMES_MAX = 1000

export const LIMITED = ['model', 'feature'] as const satisfies readonly Dimension[]
export type Limited = (typeof LIMITED)[number]
export type Names = Pick<Cell, Limited>

/** The column of a record that keeps the name. */
export const otherColumn = (dimension: Limited): string => `other_${dimension}`
export const OTHER_COLUMNS = LIMITED.map(otherColumn).join(', ')

/** Whether records of a cell keep names. */
export const isOther = (cell: Cell): boolean => LIMITED.some((dimension) => cell[dimension] === OTHER)

/** The cell of a record as it was reported, given the one to which it counts and a row with the names that the record keeps. */
export const reportedCell = (row: Row, cell: Cell): Cell => {
  const [model, feature] = LIMITED.map((dimension) => row[otherColumn(dimension)] as string | null)
  if (!model && !feature) return cell
  return { ...cell, ...(model && { model }), ...(feature && { feature }) }
}

/** The same for rows whose reported cells are the same. */
export const reportedKey = (row: Row): unknown => {
  const names = LIMITED.map((dimension) => row[otherColumn(dimension)])
  return names.every((name) => name === null) ? row['cell_id'] : JSON.stringify([row['cell_id'], ...names])
}

/** The names by which a filter selects messages, of which some may count to `(other)`. */
export const namesIn = (filter: CellFilter): readonly (readonly [Limited, string])[] =>
  LIMITED.flatMap((dimension) => {
    const name = filter[FIELD_OF[dimension]]
    return name === undefined || name === OTHER ? [] : [[dimension, name] as const]
  })

/** What every total of a filtered query has in common: its messages have the name, even if they count to `(other)`. */
export const namesOfGroups = ({ group, ...filter }: CellFilter & { readonly group: readonly Dimension[] }): Names =>
  Object.fromEntries(namesIn(filter).filter(([dimension]) => group.includes(dimension)))

/** The cell to which a message counts, and the names that its record keeps because this cell does not have them. */
export type Place = {
  readonly cell: Cell
  readonly others: Names | undefined
  /** The period has the names of the cell, which therefore always counts as itself. */
  readonly isKnown: boolean
}

/** `observe` is told once per process, organization, period and dimension. */
export type OthersOptions = { readonly namesMax?: number | undefined; readonly observe?: StoreObserver }

/** `known`: the database has it in the period. */
type NameKind = 'known' | 'new' | 'other'

type Period = { readonly organizationId: string; readonly start: EpochMs }

const REMEMBERED_MAX = 200_000
const TOLD_MAX = 10_000

/**
 * Decides what counts to `(other)`. Remembers only names that the database had, which never leave it. A name that is not
 * remembered is looked for there before it counts as new. Processes that write different new names at the same time may exceed the
 * limit by those.
 */
export class Others {
  readonly #max: number
  readonly #observe: StoreObserver
  /** By dimension, period and organization. */
  readonly #remembered = new Map<string, ReadonlySet<string>>()
  #size = 0
  readonly #told = new Set<string>()

  constructor({ namesMax = NAMES_MAX, observe = () => {} }: OthersOptions = {}) {
    this.#max = namesMax
    this.#observe = observe
  }

  /** Returns what finds the places of one append, which takes its own new names into account. */
  placing(organizationId: string): (cell: Cell, periodStart: EpochMs) => Steps<Place> {
    const present = new Map<string, Set<string>>()
    const find = (dimension: Limited, name: string, start: EpochMs): Steps<NameKind> =>
      this.#find(dimension, name, { organizationId, start }, present)
    return function* (cell, periodStart) {
      let others: Names | undefined
      let isKnown = true
      for (const dimension of LIMITED) {
        const name = cell[dimension]
        if (name === undefined) continue
        const kind = yield* find(dimension, name, periodStart)
        if (kind !== 'known') isKnown = false
        if (kind === 'other') others = { ...others, [dimension]: name }
      }
      if (others === undefined) return { cell, others, isKnown }
      const folded = Object.fromEntries(Object.keys(others).map((dimension) => [dimension, OTHER]))
      return { cell: { ...cell, ...folded }, others, isKnown }
    }
  }

  *#find(dimension: Limited, name: string, period: Period, present: Map<string, Set<string>>): Steps<NameKind> {
    if (name === OTHER) return 'other'
    const key = `${dimension} ${period.start} ${period.organizationId}`
    const remembered = this.#remembered.get(key)
    if (remembered?.has(name)) return 'known'
    if (remembered !== undefined && remembered.size >= this.#max) return this.#tell(key, dimension, period)
    let names = present.get(key)
    if (names === undefined) {
      names = new Set(yield* namesOf(dimension, period))
      present.set(key, names)
      this.#remember(key, new Set(names))
      if (names.has(name)) return 'known'
    }
    if (names.has(name)) return 'new'
    if (names.size >= this.#max) return this.#tell(key, dimension, period)
    names.add(name)
    return 'new'
  }

  /** Call after a rollback: names that the transaction added are not there. */
  rolledBack(): void {
    this.#remembered.clear()
    this.#size = 0
  }

  #remember(key: string, names: ReadonlySet<string>): void {
    this.#size += names.size - (this.#remembered.get(key)?.size ?? 0)
    if (this.#size > REMEMBERED_MAX) {
      this.#remembered.clear()
      this.#size = names.size
    }
    this.#remembered.set(key, names)
  }

  #tell(key: string, dimension: Limited, { organizationId, start }: Period): 'other' {
    if (this.#told.has(key)) return 'other'
    if (this.#told.size >= TOLD_MAX) this.#told.clear()
    this.#told.add(key)
    const [organization, most] = [JSON.stringify(organizationId), this.#max.toLocaleString('en-US')]
    this.#observe({
      severity: 'warn',
      message:
        `organization ${organization} has sent more than ${most} ${dimension}s in the billing period that starts at ` +
        `${new Date(start).toISOString()}; later ones count to "${OTHER}" in totals. GET /v1/usage?${dimension}=${OTHER} ` +
        'lists their messages',
    })
    return 'other'
  }
}

/** Every record adds to a row of `period_cell`. */
function* namesOf(dimension: Limited, { organizationId, start }: Period): Steps<readonly string[]> {
  const rows = yield* query(
    `SELECT DISTINCT ${dimension} AS name FROM period_cell JOIN cell USING (organization_id, cell_id)
     WHERE organization_id = $1 AND period_start = $2 AND ${dimension} NOT IN ('', '${OTHER}')`,
    organizationId,
    start,
  )
  return rows.map((row) => row['name'] as string)
}

/** Most messages have neither, and always count to the cell that was reported. */
export const hasNames = (cell: Cell): boolean => cell.model !== undefined || cell.feature !== undefined
