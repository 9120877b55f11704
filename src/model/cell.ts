import type { Facts, Outcome } from './facts.ts'
import type { Id } from './report.ts'

/**
 * The dimensions by which usage is totaled. Every charge belongs to one cell, and totals are kept per day and cell. An absent
 * dimension means none. Charges of the same cell often share one object.
 */
export type Cell = {
  /** If a report priced the message: its id, and its name at that time. */
  readonly reportId?: Id
  readonly reportName?: string
  /** Who sent the message. */
  readonly member?: string
  /** The part of the organization for which it was sent. */
  readonly team?: string
  /** As reported; the rate card may know it by another name. */
  readonly model?: string
  /** The attribute `feature`: as sent, or `true` or `false`. */
  readonly feature?: string
  /** Absent: `succeeded`. */
  readonly outcome?: Exclude<Outcome, 'succeeded'>
  /** Version of the rate card that priced the message, or would have done so without the report. */
  readonly rateCard: string
}

/**
 * What totals can be grouped and filtered by, and the field of each. The name of a report comes with its id. Columns, keys and
 * filters follow from this table; beside it, a new dimension needs its column in the migrations and its name on the wire.
 */
export const FIELD_OF = {
  report: 'reportId',
  member: 'member',
  team: 'team',
  model: 'model',
  feature: 'feature',
  outcome: 'outcome',
  rate_card: 'rateCard',
} as const satisfies Readonly<Record<string, keyof Cell>>

export type Dimension = keyof typeof FIELD_OF
export const DIMENSIONS = Object.keys(FIELD_OF) as readonly Dimension[]

const FIELDS: readonly (keyof Cell)[] = [...Object.values(FIELD_OF), 'reportName']

export const isSameCell = (one: Cell, other: Cell): boolean =>
  one === other || FIELDS.every((field) => one[field] === other[field])

/** The dimensions of a group of cells: those that it is grouped by and has. */
export type Grouped = Partial<Cell>

/** A dimension as a text, which is never '' and never contains U+0000; '' if there is none. */
export const textOf = (cell: Grouped, dimension: Dimension): string => String(cell[FIELD_OF[dimension]] ?? '')

/** Equal for the cells of one group; sorted by it, groups are in the order of their dimensions. */
export const groupKey = (cell: Grouped, group: readonly Dimension[]): string =>
  group.map((dimension) => textOf(cell, dimension)).join('\u0000')

export const groupOf = (cell: Grouped, group: readonly Dimension[]): Grouped => {
  const fields: readonly (keyof Cell)[] = group.map((dimension) => FIELD_OF[dimension])
  const named = fields.includes('reportId') ? [...fields, 'reportName' as const] : fields
  return Object.fromEntries(named.flatMap((field) => (cell[field] === undefined ? [] : [[field, cell[field]]])))
}

/** Which cells are meant: those that have every dimension as it is given, `succeeded` being the outcome of cells without one. */
export type CellFilter = Partial<Omit<Cell, 'reportName' | 'outcome'>> & { readonly outcome?: Outcome }

/** What `textOf` must be, for each dimension that is given. */
export const filterTexts = (filter: CellFilter): readonly (readonly [Dimension, string])[] =>
  DIMENSIONS.flatMap((dimension) => {
    const wanted = filter[FIELD_OF[dimension]]
    if (wanted === undefined) return []
    return [[dimension, dimension === 'outcome' && wanted === 'succeeded' ? '' : String(wanted)] as const]
  })

export const isFilter = (filter: CellFilter): boolean => filterTexts(filter).length > 0

/** Returns whether a cell is meant. `counted` is the one to whose totals its charges count, if that is another one. */
export const createCellTest = (filter: CellFilter): ((cell: Cell, counted?: Cell) => boolean) => {
  const texts = filterTexts(filter)
  return (cell, counted = cell) =>
    texts.every(([dimension, text]) => textOf(cell, dimension) === text || textOf(counted, dimension) === text)
}

/**
 * Returns the cell of a message, of a report, if that priced it, and of a team. Equal cells are the same object, as long as no
 * more than `REMEMBERED_MAX` are in use.
 */
export type CellFinder = (
  member: string | undefined,
  report: { readonly id: Id; readonly name: string } | undefined,
  team?: string,
  facts?: Pick<Facts, 'model' | 'attributes' | 'outcome'>,
) => Cell

export const createCells = (rateCard: string): CellFinder => {
  const byKey = new Map<string | undefined, Map<string | undefined, Cell>>()
  let remembered = 0
  return (member, report, team, { model, attributes, outcome } = NO_FACTS) => {
    const feature = attributes?.['feature']?.toString() || undefined
    // Most messages have only a member.
    const isPlain = (report ?? team ?? model ?? feature ?? outcome) === undefined
    const key = isPlain ? undefined : keyOf(report?.id, report?.name, team, model, feature, outcome)
    let byMember = byKey.get(key)
    const known = byMember?.get(member)
    if (known !== undefined) return known
    if (remembered++ >= REMEMBERED_MAX) {
      byKey.clear()
      byMember = undefined
      remembered = 1
    }
    const cell: Cell = {
      ...(report !== undefined && { reportId: report.id, reportName: report.name }),
      ...(member !== undefined && { member }),
      ...(team !== undefined && { team }),
      ...(model !== undefined && { model }),
      ...(feature !== undefined && { feature }),
      ...(outcome !== undefined && { outcome }),
      rateCard,
    }
    byKey.set(key, (byMember ?? new Map<string | undefined, Cell>()).set(member, cell))
    return cell
  }
}

const keyOf = (...texts: readonly (Id | undefined)[]): string => texts.map((text) => text ?? '').join('\u0000')

const NO_FACTS = {}
const REMEMBERED_MAX = 100_000
