/** Finds JSON numbers that a double cannot hold exactly: an id or a price must not silently become another one. */
import { type JsonPath, toPathText } from './json.ts'

/** Completes a sentence about such a number. */
export const ROUNDED = 'does not fit a 64-bit float without losing digits'

/** Returns the path of the first number that changed when it was parsed, such as 9007199254740993 or 1e-400. `bytes` must be valid JSON. */
export const roundedIn = (
  bytes: Uint8Array,
  counts: (path: JsonPath) => boolean = () => true,
): JsonPath | undefined => {
  const text = new TextDecoder().decode(bytes)
  return MAY_BE_ROUNDED.test(text) ? firstRounded(text, counts) : undefined
}

/**
 * The path of such a number as a text, if it is the value of one of `keys`, or within it where it `counts`. `bytes` must be the
 * object's own, valid JSON without duplicate keys.
 */
export const roundedAmong = (
  bytes: Uint8Array,
  value: Readonly<Record<string, unknown>>,
  keys: readonly string[],
  counts: (path: JsonPath) => boolean = () => true,
): string | undefined => {
  const isDoubtful = (key: string): boolean => {
    const each = value[key]
    if (typeof each === 'number') return !isWritten(bytes, key, String(each))
    return typeof each === 'object' && each !== null
  }
  if (!keys.some(isDoubtful)) return undefined
  const path = roundedIn(bytes, (each) => keys.includes(`${each[0]}`) && counts(each))
  return path && toPathText(path)
}

/** A double holds any 15 digits. */
const MAY_BE_ROUNDED = /[\s:,[]-?(?:[\d.]{16}|[\d.]+[eE])/

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

const firstRounded = (text: string, counts: (path: JsonPath) => boolean): JsonPath | undefined => {
  /** Where the token is: in an object, its last key; in an array, the index. */
  const path: (string | number)[] = []
  const tokens = new RegExp(TOKEN)
  for (let found = tokens.exec(text); found !== null; found = tokens.exec(text)) {
    const { 0: token, index } = found
    const last = path.length - 1
    if (token === '"') {
      tokens.lastIndex = endOfString(text, index)
      if (isKey(text, tokens.lastIndex)) path[last] = JSON.parse(text.slice(index, tokens.lastIndex))
    } else if (token === '{') path.push('')
    else if (token === '[') path.push(0)
    else if (token === '}' || token === ']') path.pop()
    else if (token === ',') path[last] = typeof path[last] === 'number' ? path[last] + 1 : ''
    else if (counts(path) && !isSame(token, String(Number(token)))) return path
  }
  return undefined
}

/** The start of a string, a number, or a mark of structure. */
const TOKEN = /-?\d[\d.eE+-]*|["{}[\],]/g

/** Not an expression, which would need a stack as long as the string. */
const endOfString = (text: string, start: number): number => {
  for (let at = text.indexOf('"', start + 1); ; at = text.indexOf('"', at + 1)) {
    let backslashes = 0
    while (text[at - 1 - backslashes] === '\\') backslashes++
    if (backslashes % 2 === 0) return at + 1
  }
}

const isKey = (text: string, end: number): boolean => {
  const colon = /\s*:/y
  colon.lastIndex = end
  return colon.test(text)
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
