/** Passes on the first call, and later ones only after some time without any. */
export const occasionally = <T>(everyMs: number, call: (value: T) => void): ((value: T) => void) => {
  let calledAt = Number.NEGATIVE_INFINITY
  return (value) => {
    if (performance.now() - calledAt < everyMs) return
    calledAt = performance.now()
    call(value)
  }
}
