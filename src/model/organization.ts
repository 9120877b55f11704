/** Milliseconds since the beginning of 1970 in UTC, a whole number. */
export type EpochMs = number

/** `[start, end)`: the days that are billed together, in the organization's time zone. */
export type BillingPeriod = { readonly start: EpochMs; readonly end: EpochMs }

/** From when on which zone and anchor day hold. */
export type CalendarEntry = {
  readonly effectiveFrom: EpochMs
  /** An IANA time zone. */
  readonly timeZone: string
  /** The day of the month on which a period starts, 1 to 31; in shorter months their last day. */
  readonly anchorDay: number
}

/** Ascending; the first entry holds from the beginning of time. */
export type BillingCalendar = readonly [CalendarEntry, ...CalendarEntry[]]

/** The first instant that a date can have. */
export const CALENDAR_BEGINS: EpochMs = -8_640_000_000_000_000

/** The customer who is billed. */
export type Organization = {
  readonly id: string
  readonly name: string
  readonly createdAt: EpochMs
  readonly calendar: BillingCalendar
}
