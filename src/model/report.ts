import type { Credits } from './credits.ts'

/** Names a report or a message: a whole number or a string. */
export type Id = number | string

/** A catalogue entry: a message that asks for this report costs its price, whatever the text. */
export type Report = {
  readonly id: Id
  readonly name: string
  readonly creditCost: Credits
}
