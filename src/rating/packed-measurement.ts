/**
 * Packs a measurement into the few bytes that are stored with a charge: flags, then code points, third vowels, and the number
 * of words of each length, as LEB128 numbers (https://en.wikipedia.org/wiki/LEB128). Usually 10 to 20 bytes.
 */
import type { Measurement } from '#model/measurement.ts'

const WORDS_DIFFER = 1
const PALINDROME = 2
const BYTES_MAX = 2 + 8 * 35

/** Many measurements share one buffer: a buffer of its own is ten times as large as the measurement in it. */
const SHARED_BYTES = 8192

let shared = new Uint8Array(SHARED_BYTES)
let used = 0

export const packMeasurement = (measurement: Measurement): Uint8Array => {
  const { codePoints, wordLengths, thirdVowels, wordsDiffer, palindrome } = measurement
  if (used + BYTES_MAX > SHARED_BYTES) {
    shared = new Uint8Array(SHARED_BYTES)
    used = 0
  }
  const start = used
  shared[start] = (wordsDiffer ? WORDS_DIFFER : 0) | (palindrome ? PALINDROME : 0)
  used = write(start + 1, codePoints)
  used = write(used, thirdVowels)
  for (const count of wordLengths) used = write(used, count)
  return shared.subarray(start, used)
}

/** Throws a RangeError if the bytes are not a packed measurement. */
export const unpackMeasurement = (bytes: Uint8Array): Measurement => {
  const numbers = readAll(bytes)
  const [codePoints, thirdVowels, ...wordLengths] = numbers
  const flags = bytes[0]
  if (flags === undefined || flags > 3 || codePoints === undefined || thirdVowels === undefined) {
    throw new RangeError('not a packed measurement')
  }
  return {
    codePoints,
    wordLengths,
    thirdVowels,
    wordsDiffer: (flags & WORDS_DIFFER) !== 0,
    palindrome: (flags & PALINDROME) !== 0,
  }
}

const write = (at: number, number: number): number => {
  let end = at
  let left = number
  while (left >= 0x80) {
    shared[end++] = (left % 0x80) | 0x80
    left = Math.floor(left / 0x80)
  }
  shared[end++] = left
  return end
}

const readAll = (bytes: Uint8Array): readonly number[] => {
  const numbers: number[] = []
  let number = 0
  let weight = 1
  for (const byte of bytes.subarray(1)) {
    number += (byte & 0x7f) * weight
    if (byte < 0x80) {
      numbers.push(number)
      number = 0
      weight = 1
    } else {
      weight *= 0x80
    }
  }
  if (weight !== 1) throw new RangeError('a packed measurement ends in the middle of a number')
  return numbers
}
