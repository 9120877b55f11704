/** The orders of `/v1/usage` by name, and the cursors of its pages: what places the last line of a page in its order. */
import { isId } from '#intake/incoming-message.ts'
import { credits } from '#model/credits.ts'
import { InvalidRequest } from '#model/errors.ts'
import type { LineOrder, PagePosition } from '#model/line-order.ts'
import { isPlainText } from '#model/plain-text.ts'
import { isInstant, readCursor, toCursor } from './cursor.ts'
import { queryParameter } from './fields.ts'

export const ORDERS = {
  time: { by: 'time', isDescending: false },
  '-time': { by: 'time', isDescending: true },
  credits: { by: 'credits', isDescending: false },
  '-credits': { by: 'credits', isDescending: true },
  id: { by: 'id', isDescending: false },
  '-id': { by: 'id', isDescending: true },
  member: { by: 'member', isDescending: false },
  '-member': { by: 'member', isDescending: true },
  report: { by: 'report', isDescending: false },
  '-report': { by: 'report', isDescending: true },
} as const satisfies Readonly<Record<string, LineOrder>>

export type OrderName = keyof typeof ORDERS

export const ORDER_NAMES = Object.keys(ORDERS) as readonly OrderName[]

/** In ascending time, the cursor does not name its order. */
export const toLineCursor = (order: OrderName, { at, messageId, credits, cell }: PagePosition): string => {
  const place = {
    time: [],
    id: [],
    credits: [credits ?? null],
    member: [cell.member ?? null],
    report: [cell.reportName ?? null],
  }
  return toCursor([...(order === 'time' ? [] : [order]), at, messageId, ...place[ORDERS[order].by]])
}

/** Throws InvalidRequest, also if the cursor comes from another order. */
export const readLineCursor = (order: OrderName, cursor: string): PagePosition => {
  const values = readCursor(cursor) ?? []
  const [name, at, messageId, ...place] = order === 'time' ? [order, ...values] : values
  const placed = placedBy(ORDERS[order].by, place)
  if (name !== order || !isInstant(at) || !isId(messageId) || placed === undefined) {
    throw new InvalidRequest(
      queryParameter('cursor'),
      'a next_cursor from a previous page in the same order, unchanged',
    )
  }
  return { at, messageId, cell: NO_CELL, ...placed }
}

const NO_CELL = { rateCard: '' }

/** Undefined if it is not the place of a line in that order. */
const placedBy = (by: LineOrder['by'], place: readonly unknown[]): Partial<PagePosition> | undefined => {
  if (by === 'time' || by === 'id') return place.length === 0 ? {} : undefined
  const [value] = place
  if (place.length !== 1) return undefined
  if (by === 'credits' && value === null) return {}
  if (by === 'credits') return Number.isSafeInteger(value) ? { credits: credits(Number(value)) } : undefined
  if (value === null) return { cell: NO_CELL }
  if (typeof value !== 'string' || !isPlainText(value)) return undefined
  return { cell: by === 'member' ? { ...NO_CELL, member: value } : { ...NO_CELL, reportName: value } }
}
