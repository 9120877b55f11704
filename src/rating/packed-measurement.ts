/**
 * Packs a measurement into the few bytes that are stored with a charge: flags, then code points, third vowels, and the number
 * of words of each length, as LEB128 numbers (https://en.wikipedia.org/wiki/LEB128). Usually 10 to 20 bytes.
 */
import type { Measurement } from '#model/measurement.ts'

const WORDS_DIFFER = 1
const PALINDROME = 2
const BYTES_MAX = 2 + 8 * 35

const scratch = new Uint8Array(BYTES_MAX)

export const packMeasurement = (measurement: Measurement): Uint8Array => {
  const { codePoints, wordLengths, thirdVowels, wordsDiffer, palindrome } = measurement
  scratch[0] = (wordsDiffer ? WORDS_DIFFER : 0) | (palindrome ? PALINDROME : 0)
  let end = write(1, codePoints)
  end = write(end, thirdVowels)
  for (const count of wordLengths) end = write(end, count)
  return scratch.slice(0, end)
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
    scratch[end++] = (left % 0x80) | 0x80
    left = Math.floor(left / 0x80)
  }
  scratch[end++] = left
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
