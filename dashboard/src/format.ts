/** Formats amounts and times. Amounts are whole millionths of a credit, so sums of them are exact. */
const MICROS = 1e6

/** Exact up to 2^32 credits. A larger double no longer holds six decimals. */
export const toMicros = (credits: number): number => Math.round(credits * MICROS)

const amount = new Intl.NumberFormat('en-GB', { minimumFractionDigits: 2, maximumFractionDigits: 6 })
const roundAmount = new Intl.NumberFormat('en-GB', { minimumFractionDigits: 2, maximumFractionDigits: 2 })
const whole = new Intl.NumberFormat('en-GB')
const decimal = new Intl.NumberFormat('en-GB', { maximumFractionDigits: 6 })
const percent = new Intl.NumberFormat('en-GB', { style: 'percent', minimumFractionDigits: 1, maximumFractionDigits: 1 })

/** At least two decimals, up to six if the amount has them. */
export const credits = (micros: number): string => amount.format(micros / MICROS)
/** Two decimals, for averages and projections. */
export const roundedCredits = (micros: number): string => roundAmount.format(micros / MICROS)
const rough = new Intl.NumberFormat('en-GB', { maximumSignificantDigits: 3 })
/** Three digits, for what is expected. */
export const roughCredits = (micros: number): string => rough.format(micros / MICROS)
/** With a sign, for a change. */
export const signedCredits = (micros: number): string => `${micros < 0 ? '−' : '+'}${credits(Math.abs(micros))}`
const compactFormat = new Intl.NumberFormat('en-GB', { notation: 'compact' })
/** Compact, where there is little room: `1.2K`. */
export const compact = (number: number): string => compactFormat.format(number)
/** Of a column that is wide enough for the longest of its amounts, whose digits are their widest letters. */
export const widthOf = (amounts: readonly string[]): string =>
  `${Math.max(10, ...amounts.map(({ length }) => length)) + 2}ch`
export const count = (number: number): string => whole.format(number)
/** Whole, or with up to six decimals. */
export const quantity = (number: number): string => decimal.format(number)
export const messagesName = (messages: number): string =>
  `${count(messages)} ${messages === 1 ? 'message' : 'messages'}`
/** To follow a number of messages or credits. */
export const unpricedName = (unpriced: number): string => (unpriced === 0 ? '' : `, ${count(unpriced)} without a price`)
export const daysName = (days: number): string => `${count(days)} ${days === 1 ? 'day' : 'days'}`
export const share = (part: number, all: number): string => (all === 0 ? '–' : percent.format(part / all))
/** `12.0% more`: in words, so that it does not depend on a sign or a color. */
export const changeFrom = (before: number, now: number): string =>
  now === before ? 'no change' : `${percent.format(Math.abs(now - before) / before)} ${now > before ? 'more' : 'less'}`

const formats = new Map<string, Intl.DateTimeFormat>()
const formatOf = (timeZone: string, options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat => {
  const key = `${timeZone} ${JSON.stringify(options)}`
  const format = formats.get(key) ?? new Intl.DateTimeFormat('en-GB', { timeZone, hourCycle: 'h23', ...options })
  formats.set(key, format)
  return format
}

const partsOf = (at: number, timeZone: string): Readonly<Record<string, string>> => {
  const two = '2-digit'
  const format = formatOf(timeZone, { day: two, month: two, year: 'numeric', hour: two, minute: two, second: two })
  return Object.fromEntries(format.formatToParts(at).map(({ type, value }) => [type, value]))
}

/** `DD-MM-YYYY HH:mm`. */
export const dateTime = (at: number, timeZone: string): string => {
  const { day, month, year, hour, minute } = partsOf(at, timeZone)
  return `${day}-${month}-${year} ${hour}:${minute}`
}

/** `YYYY-MM-DD`. */
export const dayOf = (at: number, timeZone: string): string => {
  const { day, month, year } = partsOf(at, timeZone)
  return `${year?.padStart(4, '0')}-${month}-${day}`
}

/** `30 Nov`. */
export const shortDay = (at: number, timeZone: string): string =>
  formatOf(timeZone, { day: 'numeric', month: 'short' }).format(at)

/** 0 for Sunday to 6 for Saturday. */
export const weekdayOf = (at: number, timeZone: string): number => new Date(instantOf(dayOf(at, timeZone))).getUTCDay()
/** `YYYY-MM-DD HH:mm:ss`. */
export const dayAndTime = (at: number, timeZone: string): string => {
  const { day, month, year, hour, minute, second } = partsOf(at, timeZone)
  return `${year?.padStart(4, '0')}-${month}-${day} ${hour}:${minute}:${second}`
}

export const clockTime = (at: number, timeZone: string): string => {
  const { hour, minute, second } = partsOf(at, timeZone)
  return `${hour}:${minute}:${second}`
}

/** `1 – 30 Nov 2026`. The end is exclusive. */
export const spanName = (from: number, to: number, timeZone: string): string =>
  formatOf(timeZone, { day: 'numeric', month: 'short', year: 'numeric' }).formatRange(from, Math.max(from, to - 1))

export type BucketSize = 'hour' | 'day' | 'week' | 'month'

export const BUCKET_NAMES: Readonly<Record<BucketSize, string>> = {
  hour: 'Hour',
  day: 'Day',
  week: 'Week',
  month: 'Month',
}

/** The full name of a bar's time. */
export const barName = (from: number, to: number, bucket: BucketSize, timeZone: string): string => {
  const long = { weekday: 'short', day: 'numeric', month: 'short', year: 'numeric' } as const
  if (bucket === 'hour') {
    return formatOf(timeZone, { ...long, hour: '2-digit', minute: '2-digit' }).format(from)
  }
  if (bucket === 'day') return formatOf(timeZone, long).format(from)
  return spanName(from, to, timeZone)
}

/** The short name of a bar's time, for the axis. The hour at midnight has the name of its day. */
export const barLabel = (from: number, bucket: BucketSize, timeZone: string): string => {
  if (bucket === 'hour') {
    const time = formatOf(timeZone, { hour: '2-digit', minute: '2-digit' }).format(from)
    return time === '00:00' ? shortDay(from, timeZone) : time
  }
  if (bucket === 'month') return formatOf(timeZone, { month: 'short', year: '2-digit' }).format(from)
  return formatOf(timeZone, { day: 'numeric', month: 'short' }).format(from)
}

export const DAY_MS = 86_400_000

const instantOf = (day: string): number => Date.parse(`${day}T00:00Z`)

export const dayBefore = (day: string, days: number): string =>
  new Date(instantOf(day) - days * DAY_MS).toJSON().slice(0, 10)

/** The same local time some days earlier. A day can have 23 or 25 hours. */
export const daysEarlier = (at: number, days: number, timeZone: string): number => {
  const earlier = at - days * DAY_MS
  return earlier + offsetOf(at, timeZone) - offsetOf(earlier, timeZone)
}

/** The zone's offset from UTC in milliseconds. */
const offsetOf = (at: number, timeZone: string): number => {
  const clock = Date.parse(`${dayOf(at, timeZone)}T${clockTime(at, timeZone)}Z`)
  return clock - Math.floor(at / 1000) * 1000
}

/** The same day a year before; the day before 1 March for a leap day. */
export const yearBefore = (day: string): string => {
  const [year = 0, ...rest] = day.split('-')
  const same = `${String(Number(year) - 1).padStart(4, '0')}-${rest.join('-')}`
  return same.endsWith('-02-29') ? `${same.slice(0, -2)}28` : same
}

export const nextDay = (day: string): string => dayBefore(day, -1)

/** The number of calendar days from the first to the last, inclusive. */
export const daysOf = (first: string, last: string): number => (instantOf(last) - instantOf(first)) / DAY_MS + 1
