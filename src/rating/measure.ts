/**
 * Measures a text in one pass over its UTF-8 bytes, without allocating per character.
 *
 * Two rules look at the text again, both in linear time. The palindrome check compares from both ends and usually stops at
 * the first pair. The unique-words check looks words up in a hash table and stops at the first repetition.
 */
import { LONGEST_WORD as LONGEST, type Measurement } from '#model/measurement.ts'
import * as codePoints from './code-points.ts'
import { AHEAD, encodeText, KEPT_UNITS, textMemory } from './text-bytes.ts'
import { addWord, clearWords } from './word-set.ts'

/** Measures a text of any length. Never throws and never keeps the text. */
export const measure = (text: string): Measurement => {
  if (text.length > KEPT_UNITS) return measureLong(text)
  const length = encodeText(text, kept)
  return length === text.length ? measureAscii(length) : measureUnicode(kept, keptView, length)
}

/** Copied, because the compiler inlines a module's own constants but reloads imported ones on every iteration. */
const { WORD, VOWEL, LETTER, READ, classOf, foldedOf } = codePoints
const LONGEST_WORD = LONGEST
const keptMemory = textMemory(KEPT_UNITS)
const kept = new Uint8Array(keptMemory, AHEAD)
const keptView = new DataView(keptMemory)
const classes = codePoints.firstClasses()
/** The number of words of each length while a text is measured. All zero between texts. */
const counts = new Int32Array(LONGEST_WORD + 1)
/** Where runs of word characters start and end in an ASCII text. */
const edges = new Int32Array(KEPT_UNITS + 3)

/** A long text gets a buffer of its own, so that the memory is freed afterwards. */
const measureLong = (text: string): Measurement => {
  const memory = textMemory(text.length)
  const bytes = new Uint8Array(memory, AHEAD)
  return measureUnicode(bytes, new DataView(memory), encodeText(text, bytes))
}

/**
 * In ASCII, one byte is one code point. The loop finds word edges without branching: it writes every position to `edges` but
 * advances only if the class changes, so the next position overwrites the others. For "a bc", only the edges 0, 1, 2 and 4 stay.
 * A branch would be mispredicted at nearly every word, and the loop would take 1.7 to 3 times as long (bench/text-scan.ts). Each
 * iteration reads three bytes, so that the third is always the one that the vowel rule looks at.
 */
const measureAscii = (length: number): Measurement => {
  let edgeCount = 0
  let thirdVowels = 0
  let before = 0
  for (let at = 0; at <= length; at += 3) {
    const first = classes[kept[at] as number] as number
    const second = classes[kept[at + 1] as number] as number
    const third = classes[kept[at + 2] as number] as number
    edges[edgeCount] = at
    edgeCount += (first ^ before) & WORD
    edges[edgeCount] = at + 1
    edgeCount += (second ^ first) & WORD
    edges[edgeCount] = at + 2
    edgeCount += (third ^ second) & WORD
    before = third
    thirdVowels += third & VOWEL
  }

  clearWords(length)
  let longest = 0
  let wordsDiffer = true
  for (let edge = 0; edge < edgeCount; edge += 2) {
    const from = edges[edge] as number
    const to = edges[edge + 1] as number
    if (((classes[kept[from] as number] as number) & LETTER) === 0 && !hasLetter(from, to)) continue
    longest = countWord(to - from, longest)
    if (wordsDiffer) wordsDiffer = addWord(keptView, from, to - from)
  }
  return {
    codePoints: length,
    wordLengths: takeCounts(longest),
    thirdVowels: thirdVowels / VOWEL,
    wordsDiffer,
    palindrome: isPalindrome(kept, length),
  }
}

/** As `measureAscii`, for any text: decodes each code point and looks up its class. */
const measureUnicode = (bytes: Uint8Array, view: DataView, length: number): Measurement => {
  clearWords(length)
  let longest = 0
  let wordsDiffer = true
  let count = 0
  let thirdVowels = 0
  let nextThird = 2
  /** Where the current run of word characters started: in bytes (-1 outside a run) and in code points. Then its combined classes. */
  let from = -1
  let fromCount = 0
  let inRun = 0
  // The zero byte after the text is read too: it ends the last word.
  for (let at = 0; at <= length; count++) {
    const start = at
    const lead = bytes[at++] as number
    let kind: number
    if (lead < 0x80) {
      kind = classes[lead] as number
    } else if (lead < 0xe0) {
      kind = classOf(((lead & 0x1f) << 6) | tailBits(bytes, at))
      at += 1
    } else if (lead < 0xf0) {
      kind = classOf(((lead & 0x0f) << 12) | (tailBits(bytes, at) << 6) | tailBits(bytes, at + 1))
      at += 2
    } else {
      kind = classOf(codePointAt(bytes, start))
      at += 3
    }
    if (count === nextThird) {
      nextThird += 3
      thirdVowels += kind & VOWEL
    }
    if ((kind & WORD) !== 0) {
      if (from < 0) {
        from = start
        fromCount = count
        inRun = 0
      }
      inRun |= kind
    } else if (from >= 0) {
      if ((inRun & LETTER) !== 0) {
        longest = countWord(count - fromCount, longest)
        if (wordsDiffer) wordsDiffer = addWord(view, from, start - from)
      }
      from = -1
    }
  }
  return {
    codePoints: count - 1,
    wordLengths: takeCounts(longest),
    thirdVowels: thirdVowels / VOWEL,
    wordsDiffer,
    palindrome: isPalindrome(bytes, length),
  }
}

const hasLetter = (from: number, to: number): boolean => {
  for (let at = from; at < to; at++) if (((classes[kept[at] as number] as number) & LETTER) !== 0) return true
  return false
}

const countWord = (length: number, longest: number): number => {
  const counted = length < LONGEST_WORD ? length : LONGEST_WORD
  counts[counted] = (counts[counted] as number) + 1
  return counted > longest ? counted : longest
}

const takeCounts = (longest: number): readonly number[] => {
  const taken: number[] = []
  for (let length = 1; length <= longest; length++) {
    taken.push(counts[length] as number)
    counts[length] = 0
  }
  return taken
}

const isPalindrome = (bytes: Uint8Array, length: number): boolean => {
  let left = 0
  let right = length
  let anyRead = false
  for (;;) {
    while (left < right && !isRead(bytes, left)) left = after(bytes, left)
    if (left >= right) return anyRead
    anyRead = true
    do right = before(bytes, right)
    while (!isRead(bytes, right))
    if (!foldAlike(codePointAt(bytes, left), codePointAt(bytes, right))) return false
    left = after(bytes, left)
  }
}

const isRead = (bytes: Uint8Array, at: number): boolean => (classOf(codePointAt(bytes, at)) & READ) !== 0

const foldAlike = (one: number, other: number): boolean => one === other || foldedOf(one) === foldedOf(other)

const after = (bytes: Uint8Array, at: number): number => {
  let next = at + 1
  while (isTail(bytes, next)) next++
  return next
}

const before = (bytes: Uint8Array, at: number): number => {
  let next = at - 1
  while (isTail(bytes, next)) next--
  return next
}

const isTail = (bytes: Uint8Array, at: number): boolean => ((bytes[at] as number) & 0xc0) === 0x80

const tailBits = (bytes: Uint8Array, at: number): number => (bytes[at] as number) & 0x3f

const codePointAt = (bytes: Uint8Array, at: number): number => {
  const lead = bytes[at] as number
  if (lead < 0x80) return lead
  if (lead < 0xe0) return ((lead & 0x1f) << 6) | tailBits(bytes, at + 1)
  const tail = (tailBits(bytes, at + 1) << 6) | tailBits(bytes, at + 2)
  if (lead < 0xf0) return ((lead & 0x0f) << 12) | tail
  return ((lead & 0x07) << 18) | (tail << 6) | tailBits(bytes, at + 3)
}
