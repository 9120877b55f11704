/** JSON that has been parsed, or is about to be. */

export type JsonObject = Readonly<Record<string, unknown>>

export const isJsonObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const SHORTEST_VALUE_BYTES = 2

/**
 * Whether there are more objects and arrays than `most`. Each takes a hundred bytes or so, however short it is written, so a body of `{}`
 * can take all memory. Says nothing of what is not JSON.
 */
export const hasMoreValues = (bytes: Uint8Array, most: number): boolean => {
  if (bytes.length <= most * SHORTEST_VALUE_BYTES) return false
  let count = 0
  let isInString = false
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at]
    if (byte === QUOTE) isInString = !isInString
    else if (isInString && byte === BACKSLASH) at++
    else if (!isInString && (byte === OPEN_BRACE || byte === OPEN_BRACKET)) count++
  }
  return count > most
}

const [QUOTE, BACKSLASH, OPEN_BRACE, OPEN_BRACKET] = [0x22, 0x5c, 0x7b, 0x5b]
