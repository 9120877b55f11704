import type { Id } from './report.ts'

/**
 * The dimensions by which usage is totaled. Every charge belongs to one cell, and totals are kept per day and cell. An absent
 * dimension means none. Charges of the same cell often share one object.
 */
export type Cell = {
  /** Who sent the message. */
  readonly member?: string
  /** If a report priced the message: its id, and its name at that time. */
  readonly reportId?: Id
  readonly reportName?: string
  /** Version of the rate card that priced the message, or would have done so without the report. */
  readonly rateCard: string
}

export const isSameCell = (one: Cell, other: Cell): boolean =>
  one === other ||
  (one.member === other.member &&
    one.reportId === other.reportId &&
    one.reportName === other.reportName &&
    one.rateCard === other.rateCard)

/** What totals can be grouped by. The name of a report comes with its id. */
export const DIMENSIONS = ['report', 'member'] as const
export type Dimension = (typeof DIMENSIONS)[number]

/** The dimensions of a group of cells: those that it is grouped by and has. */
export type Grouped = Omit<Cell, 'rateCard'>

const TEXT_OF: { readonly [D in Dimension]: (cell: Grouped) => string } = {
  report: ({ reportId }) => (reportId === undefined ? '' : String(reportId)),
  member: ({ member }) => member ?? '',
}

const PART_OF: { readonly [D in Dimension]: (cell: Grouped) => Grouped } = {
  report: ({ reportId, reportName = '' }) => (reportId === undefined ? {} : { reportId, reportName }),
  member: ({ member }) => (member === undefined ? {} : { member }),
}

/** Equal for the cells of one group; sorted by it, groups are in the order of their dimensions. */
export const groupKey = (cell: Grouped, group: readonly Dimension[]): string =>
  group.map((dimension) => TEXT_OF[dimension](cell)).join('\u0000')

export const groupOf = (cell: Grouped, group: readonly Dimension[]): Grouped =>
  Object.assign({}, ...group.map((dimension) => PART_OF[dimension](cell)))

/** Which cells are meant: all, or those of a member, of a report, or of both. */
export type CellFilter = Pick<Cell, 'member' | 'reportId'>

export const isFilter = ({ member, reportId }: CellFilter): boolean => member !== undefined || reportId !== undefined

export const isMeant = (cell: Cell, { member, reportId }: CellFilter): boolean =>
  (member === undefined || cell.member === member) &&
  (reportId === undefined || String(cell.reportId ?? '') === String(reportId))

/** Returns the cell of a member and report. Equal cells are the same object, as long as no more than `REMEMBERED_MAX` are in use. */
export const createCells = (
  rateCard: string,
): ((member: string | undefined, report: { readonly id: Id; readonly name: string } | undefined) => Cell) => {
  const byReport = new Map<string | undefined, Map<string | undefined, Cell>>()
  let remembered = 0
  return (member, report) => {
    // Both may have any other character.
    const key = report && `${report.id}\u0000${report.name}`
    let byMember = byReport.get(key)
    const known = byMember?.get(member)
    if (known !== undefined) return known
    if (remembered++ >= REMEMBERED_MAX) {
      byReport.clear()
      byMember = undefined
      remembered = 1
    }
    const cell: Cell = {
      ...(member !== undefined && { member }),
      ...(report !== undefined && { reportId: report.id, reportName: report.name }),
      rateCard,
    }
    byReport.set(key, (byMember ?? new Map<string | undefined, Cell>()).set(member, cell))
    return cell
  }
}

const REMEMBERED_MAX = 100_000
