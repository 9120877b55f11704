/**
 * Whether a text is an RFC 3339 date-time: a date that exists, a time with a leap second at most, and an offset
 * (https://www.rfc-editor.org/rfc/rfc3339#section-5.6, with the upper or lower case of `T` and `Z` that it allows).
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
