import type { Credits } from './credits.ts'

/** The id of a report or a message: an integer or a string. */
export type Id = number | string

/** A catalogue entry. A message that asks for this report costs `creditCost`, whatever its text. */
export type Report = {
  readonly id: Id
  readonly name: string
  readonly creditCost: Credits
}

/** The id that a text names: `5392` is a number; `abc`, `05` and integers that a double cannot hold stay strings. */
export const parseId = (text: string): Id => {
  const number = Number(text)
  return Number.isSafeInteger(number) && String(number) === text ? number : text
}

/** `5392` and `"5392"` are the same report; its canonical id is the number. */
export const canonicalReportId = (id: Id): Id => parseId(String(id))
