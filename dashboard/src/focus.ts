/** Call before removing the focused element, or keyboard and screen-reader users lose their place. */
export const focusMain = (): void => document.querySelector('main')?.focus()

/** The element that had it is gone, or it is where a click beside all controls leaves it. */
export const isFocusLost = (): boolean => {
  const { activeElement: focused, body } = document
  return focused === null || focused === body || focused.matches('main, [data-row] a')
}
