/** Before what has the focus goes: it would be lost, and with it the place of who uses the keyboard or a screen reader. */
export const focusMain = (): void => document.querySelector('main')?.focus()
