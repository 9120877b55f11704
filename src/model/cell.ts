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

/** Returns the cell of a member and report. Equal cells are the same object, as long as no more than `REMEMBERED_MAX` are in use. */
export const createCells = (
  rateCard: string,
): ((member: string | undefined, report: { readonly id: Id; readonly name: string } | undefined) => Cell) => {
  const byReport = new Map<string | undefined, Map<string | undefined, Cell>>()
  let remembered = 0
  return (member, report) => {
    const key = report && `${report.id} ${report.name}`
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
