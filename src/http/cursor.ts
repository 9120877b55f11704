/** Opaque page cursors: the position at which a page ended, as text that the client sends back. */
import type { EpochMs } from '#model/organization.ts'

export const toCursor = (values: readonly unknown[]): string =>
  Buffer.from(JSON.stringify(values)).toString('base64url')

/** Undefined unless `cursor` is exactly what `toCursor` writes. */
export const readCursor = (cursor: string): readonly unknown[] | undefined => {
  try {
    const values: unknown = JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8'))
    return Array.isArray(values) && toCursor(values) === cursor ? values : undefined
  } catch {
    return undefined
  }
}

/** Whether a page can end at this instant: RFC 3339 has the years 0000 to 9999, and periods may extend a year beyond. */
export const isInstant = (value: unknown): value is EpochMs =>
  typeof value === 'number' && Number.isSafeInteger(value) && value >= INSTANT_MIN && value <= INSTANT_MAX

const INSTANT_MIN = Date.UTC(-1, 0, 1)
const INSTANT_MAX = Date.UTC(10_001, 0, 1)
