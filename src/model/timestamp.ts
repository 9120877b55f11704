import type { EpochMs } from './organization.ts'

/**
 * Whether a text is an RFC 3339 date-time: an existing date, a time that may be a leap second, and an offset
 * (https://www.rfc-editor.org/rfc/rfc3339#section-5.6). `T` and `Z` may be in lower case, as it allows.
 */
export const isTimestamp = (text: string): boolean => {
  const parts = DATE_TIME.exec(text)
  if (parts === null) return false
  const day = Number(parts[3])
  return day <= 28 || day <= daysOf(Number(parts[1]), Number(parts[2]))
}

const DATE_TIME =
  /^(\d{4})-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])[Tt](?:[01]\d|2[0-3]):[0-5]\d:(?:[0-5]\d|60)(?:\.\d+)?(?:[Zz]|[+-](?:[01]\d|2[0-3]):[0-5]\d)$/

const daysOf = (year: number, month: number): number => {
  if (month === 2) return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0) ? 29 : 28
  return month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31
}

/**
 * The instant of a timestamp, truncated to whole milliseconds so that it stays in its day and period. A leap second counts as
 * the second before it, as on POSIX clocks that repeat it.
 */
export const instantOf = (timestamp: string): EpochMs => {
  const canonical = readCanonical(timestamp)
  if (canonical !== undefined) return canonical
  const fraction = /\.(\d+)/.exec(timestamp)?.[1] ?? ''
  const second = timestamp.slice(17, 19) === '60' ? '59' : timestamp.slice(17, 19)
  const whole = `${timestamp.slice(0, 10)}T${timestamp.slice(11, 17)}${second}`
  const offset = /(?:[Zz]|[+-]\d\d:\d\d)$/.exec(timestamp)?.[0].toUpperCase() ?? 'Z'
  return Date.parse(`${whole}.${fraction.slice(0, 3).padEnd(3, '0')}${offset}`)
}

/** The canonical form of an instant: `2024-04-29T02:08:29.375Z`. */
export const canonicalTimestamp = (at: EpochMs): string => new Date(at).toISOString()

/** Whether the timestamp is in the canonical form of its instant. */
export const isCanonicalTimestamp = (timestamp: string, at: EpochMs): boolean => readCanonical(timestamp) === at

/** `YYYY-MM-DDTHH:mm:ss.sssZ` → its instant; undefined for every other form. Assumes that the date exists. */
const readCanonical = (text: string): EpochMs | undefined => {
  if (
    text.length !== 24 ||
    text.charCodeAt(10) !== 0x54 ||
    text.charCodeAt(19) !== 0x2e ||
    text.charCodeAt(23) !== 0x5a
  ) {
    return undefined
  }
  const second = number(text, 17, 19)
  if (second === 60) return undefined
  const minutes = number(text, 11, 13) * 60 + number(text, 14, 16)
  return dayOf(text) + (minutes * 60 + second) * 1000 + number(text, 20, 23)
}

const number = (text: string, from: number, to: number): number => {
  let value = 0
  for (let at = from; at < to; at++) value = value * 10 + text.charCodeAt(at) - 0x30
  return value
}

/** The midnight of a date, by the algorithm of https://howardhinnant.github.io/date_algorithms.html#days_from_civil. */
const dayOf = (text: string): EpochMs => {
  const month = number(text, 5, 7)
  const year = number(text, 0, 4) - (month <= 2 ? 1 : 0)
  const era = Math.floor(year / 400)
  const yearOfEra = year - era * 400
  const dayOfYear = Math.floor((153 * (month + (month > 2 ? -3 : 9)) + 2) / 5) + number(text, 8, 10) - 1
  const dayOfEra = yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear
  return (era * 146_097 + dayOfEra - 719_468) * 86_400_000
}
