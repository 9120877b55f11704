/** Numbers of JSON that a double does not hold as they are written: an id or a price must not become another one unnoticed. */

/**
 * Which of these keys of an object has a number that reading has changed, such as 9007199254740993 or 1e-400. `bytes` are the
 * object's, valid, with no key twice.
 */
export const roundedAmong = (
  bytes: Buffer,
  value: Readonly<Record<string, unknown>>,
  keys: readonly string[],
): string | undefined => {
  const isDoubtful = (key: string): boolean =>
    typeof value[key] === 'number' && !isWritten(bytes, key, String(value[key]))
  if (!keys.some(isDoubtful)) return undefined
  const written = numbersWritten(bytes.toString())
  return keys.find((key) => isDoubtful(key) && !isSame(written.get(key) ?? '', String(value[key])))
}

/** Whether `"key":digits` stands there just so, before any object within: most numbers do, and one look tells. */
const isWritten = (bytes: Buffer, key: string, digits: string): boolean => {
  let at = behindKey(bytes, key)
  if (at < 0) return false
  while (bytes[at] === SPACE) at++
  if (bytes[at++] !== COLON) return false
  while (bytes[at] === SPACE) at++
  for (let digit = 0; digit < digits.length; digit++) if (bytes[at++] !== digits.charCodeAt(digit)) return false
  const next = bytes[at] ?? 0
  return next === COMMA || next === CLOSE_BRACE || next <= SPACE
}

/** By hand: most keys are found after a few bytes, before a search of the library would have begun. */
const behindKey = (bytes: Buffer, key: string): number => {
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

/** The numbers directly in an object, as they are written. */
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

const isSame = (written: string, read: string): boolean => {
  const [a, b] = [decimalOf(written), decimalOf(read)]
  return a !== undefined && b !== undefined && a.digits === b.digits && a.power === b.power
}

/** Digits without zeros around them, and the power of ten of the last one. */
const decimalOf = (text: string): { readonly digits: string; readonly power: number } | undefined => {
  const [, sign = '', whole = '', fraction = '', exponent = '0'] =
    /^(-?)(\d+)(?:\.(\d+))?(?:e([+-]?\d{1,9}))?$/i.exec(text) ?? []
  if (whole === '') return undefined
  const all = `${whole}${fraction}`.replace(/^0+/, '')
  const digits = all.replace(/0+$/, '')
  if (digits === '') return { digits: '0', power: 0 }
  return { digits: `${sign}${digits}`, power: Number(exponent) - fraction.length + all.length - digits.length }
}
