/** Whole milliseconds since the start of 1970 in UTC. */
export type EpochMs = number

/** `[start, end)`: the days in the organization's time zone that are billed together. */
export type BillingPeriod = { readonly start: EpochMs; readonly end: EpochMs }

/** A time zone and anchor day, and the instant from which they apply. */
export type CalendarEntry = {
  readonly effectiveFrom: EpochMs
  /** An IANA time zone. */
  readonly timeZone: string
  /** The day of the month on which a period starts, 1 to 31. In a shorter month, its last day. */
  readonly anchorDay: number
}

/** Ascending; the first entry applies from the beginning of time. */
export type BillingCalendar = readonly [CalendarEntry, ...CalendarEntry[]]

/** The earliest instant that a Date can represent. */
export const CALENDAR_BEGINS: EpochMs = -8_640_000_000_000_000

/** A customer, which is billed as a whole. */
export type Organization = {
  readonly id: string
  readonly name: string
  readonly createdAt: EpochMs
  readonly calendar: BillingCalendar
}

export const DEFAULT_ORGANIZATION = 'default'
