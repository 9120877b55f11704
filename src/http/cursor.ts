/** Where a page ended, as a text that callers hand back and need not understand. */
import type { EpochMs } from '#model/organization.ts'

export const toCursor = (values: readonly unknown[]): string =>
  Buffer.from(JSON.stringify(values)).toString('base64url')

/** Undefined where it is none: anything but what `toCursor` writes, to the letter. */
export const readCursor = (cursor: string): readonly unknown[] | undefined => {
  try {
    const values: unknown = JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8'))
    return Array.isArray(values) && toCursor(values) === cursor ? values : undefined
  } catch {
    return undefined
  }
}

/** Whether it is an instant that a page can end at: those of RFC 3339, whose years are 0000 to 9999, and the periods around. */
export const isInstant = (value: unknown): value is EpochMs =>
  typeof value === 'number' && Number.isSafeInteger(value) && value >= INSTANT_MIN && value <= INSTANT_MAX

const INSTANT_MIN = Date.UTC(-1, 0, 1)
const INSTANT_MAX = Date.UTC(10_001, 0, 1)
