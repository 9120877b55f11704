/** Whether the runtime knows the name as a time zone of the IANA database. An offset such as `+02:00` is not one. */
export const isTimeZone = (name: string): boolean => {
  if (!/^[A-Za-z][\w/+-]*$/.test(name)) return false
  try {
    Temporal.Instant.fromEpochMilliseconds(0).toZonedDateTimeISO(name)
    return true
  } catch {
    return false
  }
}
