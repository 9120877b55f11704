/** Reads an amount of credits as people write it. */
import { isAmount } from './view.ts'

/** `1,000` and `1,234.5`, as the page itself writes them. */
const GROUPED = /^[1-9]\d{0,2}(,\d{3})+(\.\d*)?$/
/** `2,5`. */
const DECIMAL_COMMA = /^\d*,\d*$/

/** As the address has it, with a decimal point and nothing else but digits; undefined if it is not an amount. */
export const amountOf = (typed: string): string | undefined => {
  const text = typed.trim()
  const plain = GROUPED.test(text) ? text.replaceAll(',', '') : DECIMAL_COMMA.test(text) ? text.replace(',', '.') : text
  return isAmount(plain) ? plain : undefined
}
