/** Python writes `NaN` and `Infinity` into what it calls JSON, for example among the probabilities of a response. */

/** The same with `null` in their places, or undefined if there are none. Whether the rest is JSON is for a parser to decide. */
export const withoutNonNumbers = (bytes: Uint8Array): Uint8Array | undefined => {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (!text.includes('NaN') && !text.includes('Infinity')) return undefined
  const parts: Buffer[] = []
  let from = 0
  while (from < text.length) {
    const quote = text.indexOf(QUOTE, from)
    const open = quote < 0 ? text.length : quote
    parts.push(Buffer.from(text.toString('latin1', from, open).replace(NON_NUMBER, 'null'), 'latin1'))
    from = endOfString(text, open)
    parts.push(text.subarray(open, from))
  }
  return Buffer.concat(parts)
}

const NON_NUMBER = /\bNaN\b|-?\bInfinity\b/g
const [QUOTE, BACKSLASH] = [0x22, 0x5c]

/** The position after the string that starts at `open`. */
const endOfString = (text: Buffer, open: number): number => {
  for (let at = open + 1; at < text.length; at++) {
    if (text[at] === BACKSLASH) at++
    else if (text[at] === QUOTE) return at + 1
  }
  return text.length
}
