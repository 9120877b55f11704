/** Finds JSON numbers that a double cannot hold exactly: an id or a price must not silently become another one. */

/**
 * Returns the first of `keys` whose number changed when it was parsed, such as 9007199254740993 or 1e-400. `bytes` must be
 * the object's own, valid JSON without duplicate keys.
 */
export const roundedAmong = (
  bytes: Uint8Array,
  value: Readonly<Record<string, unknown>>,
  keys: readonly string[],
): string | undefined => {
  const isDoubtful = (key: string): boolean =>
    typeof value[key] === 'number' && !isWritten(bytes, key, String(value[key]))
  if (!keys.some(isDoubtful)) return undefined
  const written = numbersWritten(new TextDecoder().decode(bytes))
  return keys.find((key) => isDoubtful(key) && !isSame(written.get(key) ?? '', String(value[key])))
}

/** Fast path: whether `"key":digits` occurs literally before any nested object, as it does for most numbers. */
const isWritten = (bytes: Uint8Array, key: string, digits: string): boolean => {
  let at = afterKey(bytes, key)
  if (at < 0) return false
  while (bytes[at] === SPACE) at++
  if (bytes[at++] !== COLON) return false
  while (bytes[at] === SPACE) at++
  for (let digit = 0; digit < digits.length; digit++) if (bytes[at++] !== digits.charCodeAt(digit)) return false
  const next = bytes[at] ?? 0
  return next === COMMA || next === CLOSE_BRACE || next <= SPACE
}

/** A hand-written search: most keys are within the first few bytes, where calling `indexOf` costs more than it saves. */
const afterKey = (bytes: Uint8Array, key: string): number => {
  const { length } = key
  for (let at = 1; at + length + 1 < bytes.length; at++) {
    const byte = bytes[at]
    if (byte === OPEN_BRACE) return -1
    if (byte !== QUOTE || bytes[at + length + 1] !== QUOTE) continue
    let same = 0
    while (same < length && bytes[at + 1 + same] === key.charCodeAt(same)) same++
    if (same === length) return at + length + 2
  }
  return -1
}

const [SPACE, QUOTE, COMMA, COLON, OPEN_BRACE, CLOSE_BRACE] = [0x20, 0x22, 0x2c, 0x3a, 0x7b, 0x7d]

/** The numbers at the top level of an object, exactly as written. */
const numbersWritten = (text: string): ReadonlyMap<string, string> => {
  const found = new Map<string, string>()
  let depth = 0
  for (const [token, number] of text.matchAll(/"(?:[^"\\]|\\.)*"\s*:\s*(-?\d[\d.eE+-]*)?|"(?:[^"\\]|\\.)*"|[[{}\]]/g)) {
    if (token === '{' || token === '[') depth++
    else if (token === '}' || token === ']') depth--
    else if (depth === 1 && number !== undefined) {
      found.set(JSON.parse(token.slice(0, token.lastIndexOf('"') + 1)), number)
    }
  }
  return found
}

/** The number that a text writes in plain digits or as `1.4e-05`. Undefined if a double cannot hold it exactly. */
export const exactNumber = (text: string): number | undefined => {
  if (!/^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:e-\d{1,3})?$/.test(text)) return undefined
  const number = Number(text)
  return isSame(text, String(number)) ? number : undefined
}

const isSame = (written: string, read: string): boolean => {
  const [a, b] = [decimalOf(written), decimalOf(read)]
  return a !== undefined && b !== undefined && a.digits === b.digits && a.power === b.power
}

/** Significant digits without leading or trailing zeros, and the power of ten of the last one: 1200 is `12` and 2. */
const decimalOf = (text: string): { readonly digits: string; readonly power: number } | undefined => {
  const [, sign = '', whole = '', fraction = '', exponent = '0'] =
    /^(-?)(\d+)(?:\.(\d+))?(?:e([+-]?\d{1,9}))?$/i.exec(text) ?? []
  if (whole === '') return undefined
  const all = `${whole}${fraction}`.replace(/^0+/, '')
  const digits = all.replace(/0+$/, '')
  if (digits === '') return { digits: '0', power: 0 }
  return { digits: `${sign}${digits}`, power: Number(exponent) - fraction.length + all.length - digits.length }
}
