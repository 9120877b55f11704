/** The orders in which lines can be listed. Both databases and listings agree on them. */
import type { Id } from './report.ts'
import type { RecordedLine } from './usage-record.ts'

/**
 * Lines that are equal by it are in order of time, then of id. Texts are ordered by code point, and lines without one, like
 * unpriced lines by credits, come last in either direction. Descending time also reverses the ids.
 */
export type LineOrder = {
  /** `report` is the name of the report. */
  readonly by: 'time' | 'credits' | 'id' | 'member' | 'report'
  readonly isDescending: boolean
}

export const TIME_ORDER: LineOrder = { by: 'time', isDescending: false }

/** What places a line in every order. */
export type PagePosition = Pick<RecordedLine, 'at' | 'messageId' | 'credits' | 'cell'>

/** For sorting: negative if `one` comes first. */
export const compareLines = ({ by, isDescending }: LineOrder): ((one: PagePosition, other: PagePosition) => number) => {
  const direction = isDescending ? -1 : 1
  switch (by) {
    case 'time':
      return (one, other) => direction * inTime(one, other)
    case 'id':
      // A closed charge and its adjustment have the same id.
      return (one, other) => direction * (compareIds(one.messageId, other.messageId) || one.at - other.at)
    case 'credits':
      return (one, other) => compareCredits(one.credits, other.credits, direction) || inTime(one, other)
    case 'member':
      return (one, other) => compareTexts(one.cell.member, other.cell.member, direction) || inTime(one, other)
    case 'report':
      return (one, other) => compareTexts(one.cell.reportName, other.cell.reportName, direction) || inTime(one, other)
  }
}

const inTime = (one: PagePosition, other: PagePosition): number =>
  one.at - other.at || compareIds(one.messageId, other.messageId)

const compareCredits = (one: number | undefined, other: number | undefined, direction: number): number => {
  if (one === undefined || other === undefined) return Number(one === undefined) - Number(other === undefined)
  return direction * (one - other)
}

const compareTexts = (one: string | undefined, other: string | undefined, direction: number): number => {
  if (one === undefined || other === undefined) return Number(one === undefined) - Number(other === undefined)
  return direction * compareIds(one, other)
}

/** Integers before strings, strings by code point. */
export const compareIds = (one: Id, other: Id): number => {
  if (typeof one === 'number') return typeof other === 'number' ? one - other : -1
  if (typeof other === 'number') return 1
  const shorter = Math.min(one.length, other.length)
  for (let index = 0; index < shorter; index++) {
    const difference = rankOf(one.charCodeAt(index)) - rankOf(other.charCodeAt(index))
    if (difference !== 0) return difference
  }
  return one.length - other.length
}

/** Orders code units like code points: surrogates sort last, because they encode code points above U+FFFF. */
const rankOf = (unit: number): number => (unit < 0xd800 ? unit : unit < 0xe000 ? unit + 0x2000 : unit - 0x800)
