/** Call before removing the focused element, or keyboard and screen-reader users lose their place. */
export const focusMain = (): void => document.querySelector('main')?.focus()
