/** Compares what messages cost with what they would cost: in sums by several dimensions, and the messages that change most. */
import { entryAt, zoned } from '#calendar/periods.ts'
import type { KeptCharges } from '#ledger/kept-charges.ts'
import type { Range } from '#ledger/ledger.ts'
import { cellAt } from '#ledger/priced-batch.ts'
import { type Cell, type Dimension, type Grouped, groupOf, textOf } from '#model/cell.ts'
import { compareIds } from '#model/line-order.ts'
import type { EpochMs, Organization } from '#model/organization.ts'
import type { Id } from '#model/report.ts'
import { canonicalTimestamp } from '#model/timestamp.ts'
import { GroupSums, type Groups } from './groups.ts'
import { amountOf, Sums } from './sums.ts'

export const COMPARED = ['report', 'member', 'team', 'model'] as const satisfies readonly Dimension[]
export type Compared = (typeof COMPARED)[number]

/** Whose messages are compared, and of which range. */
export type Part = { readonly organization: Organization; readonly range: Range }

export type ChangedMessage = {
  readonly organizationId: string
  readonly messageId: Id
  readonly timestamp: string
  readonly cell: Cell
  /** NaN without a price. */
  readonly before: number
  readonly after: number
}

/** Members and teams are of one organization; reports and models are the same for all. */
export type ComparedGroup = Grouped & { readonly organizationId?: string }

type CellOfDay = { readonly organizationId: string; readonly cell: Cell; readonly day: EpochMs }

const DAYS_SHOWN = 366
const MESSAGES_SHOWN = 10

export class Comparison {
  readonly #total = new Sums()
  readonly #organizations = new GroupSums<Part>()
  readonly #days = new GroupSums<{ readonly date: string; readonly start: EpochMs }>(withEarliestStart)
  readonly #dimensions = COMPARED.map((dimension) => ({ dimension, groups: new GroupSums<CellOfDay>(withLatestName) }))
  #largest: readonly ChangedMessage[] = []

  /** Adds messages of one organization. `after` has an amount for each charge. */
  add(part: Part, charges: KeptCharges, after: Float64Array): void {
    const { id } = part.organization
    const { count, credits, dayStarts, cells, cellOf } = charges
    for (let row = 0; row < count; ) {
      const day = dayStarts[row] as EpochMs
      const ofDay = new Sums()
      const ofCells: (Sums | undefined)[] = cells.map(() => undefined)
      for (; row < count && dayStarts[row] === day; row++) {
        const [was, is] = [credits[row] as number, after[row] as number]
        const cell = cellOf[row] as number
        const ofCell = ofCells[cell] ?? new Sums()
        ofCells[cell] = ofCell
        ofCell.add(was, is)
        this.#consider(id, charges, row, was, is)
      }
      for (const [index, sums] of ofCells.entries()) {
        if (sums === undefined) continue
        ofDay.addAll(sums)
        const of = { organizationId: id, cell: cells[index] as Cell, day }
        for (const { dimension, groups } of this.#dimensions) groups.add(textOf(of.cell, dimension), of, sums)
      }
      this.#total.addAll(ofDay)
      this.#organizations.add(id, part, ofDay)
      const date = dateOf(part.organization, day)
      this.#days.add(date, { date, start: day }, ofDay)
    }
  }

  /** Adds those of another organization. */
  addAll(other: Comparison): void {
    this.#total.addAll(other.#total)
    this.#organizations.addAll(other.#organizations, (_, key) => key)
    this.#days.addAll(other.#days, (_, key) => key)
    for (const [index, { dimension, groups }] of other.#dimensions.entries()) {
      const keyOf = ({ organizationId }: CellOfDay, key: string) =>
        isOfOneOrganization(dimension) ? `${organizationId} ${key}` : key
      this.#dimensions[index]?.groups.addAll(groups, keyOf)
    }
    this.#keepLargest(other.#largest)
  }

  result() {
    const days = this.#days.shown((day) => day, DAYS_SHOWN)
    const by = this.#dimensions.map(({ dimension, groups }) => [
      dimension,
      groups.shown(({ organizationId, cell }) => ({
        ...(isOfOneOrganization(dimension) && { organizationId }),
        ...groupOf(cell, [dimension]),
      })),
    ])
    return {
      total: this.#total,
      organizations: this.#organizations.shown((part) => part),
      days: { ...days, groups: days.groups.toSorted(({ start: one }, { start: other }) => one - other) },
      by: Object.fromEntries(by) as { readonly [Name in Compared]: Groups<ComparedGroup> },
      largest: this.#largest,
    }
  }

  #consider(organizationId: string, charges: KeptCharges, row: number, before: number, after: number): void {
    const change = Math.abs(amountOf(after) - amountOf(before))
    const least = this.#largest[MESSAGES_SHOWN - 1]
    if (change === 0 || (least !== undefined && change <= changeOf(least))) return
    const at = charges.at[row] as EpochMs
    const messageId = charges.messageIds[row] as Id
    const timestamp = charges.timestamps[row] ?? canonicalTimestamp(at)
    this.#keepLargest([{ organizationId, messageId, timestamp, cell: cellAt(charges, row), before, after }])
  }

  /** The sort is stable, so of equal changes the first in time comes first. */
  #keepLargest(messages: readonly ChangedMessage[]): void {
    this.#largest = [...this.#largest, ...messages]
      .sort((one, other) => changeOf(other) - changeOf(one))
      .slice(0, MESSAGES_SHOWN)
  }
}

const isOfOneOrganization = (dimension: Compared): boolean => dimension === 'member' || dimension === 'team'

const withEarliestStart = <T extends { readonly start: EpochMs }>(known: T, other: T): T =>
  other.start < known.start ? other : known

/** A report has the name of its latest day; of several on that day, the greatest by code point. */
const withLatestName = (known: CellOfDay, other: CellOfDay): CellOfDay =>
  other.day > known.day ||
  (other.day === known.day && compareIds(other.cell.reportName ?? '', known.cell.reportName ?? '') > 0)
    ? other
    : known

const dateOf = ({ calendar }: Organization, at: EpochMs): string =>
  zoned(at, entryAt(calendar, at).entry.timeZone).toPlainDate().toString()

const changeOf = ({ before, after }: ChangedMessage): number => Math.abs(amountOf(after) - amountOf(before))
