import type { Credits } from './credits.ts'

/** Names a report or a message: a whole number or a string. */
export type Id = number | string

/** A catalogue entry: a message that asks for this report costs its price, whatever the text. */
export type Report = {
  readonly id: Id
  readonly name: string
  readonly creditCost: Credits
}

/** Reports are told apart by their text: `5392` and `"5392"` are one, and it is given as the number. */
export const canonicalReportId = (id: Id): Id => {
  const text = String(id)
  const number = Number(text)
  return Number.isSafeInteger(number) && String(number) === text ? number : text
}
