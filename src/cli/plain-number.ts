import { type Credits, toDecimal } from '#model/credits.ts'

/** In the language since ES2026; TypeScript's library does not know it yet. */
const { rawJSON } = JSON as unknown as { readonly rawJSON: (json: string) => unknown }

/** For JSON.stringify: the amount as the decimal number that it is, from its digits. */
export const plainNumber = (amount: Credits): unknown => rawJSON(toDecimal(amount))
