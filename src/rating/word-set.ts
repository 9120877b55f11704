/**
 * Finds out whether any two words of a text are equal.
 *
 * Words are not copied. A hash table with open addressing holds, for each word, its position in the text's bytes, its first
 * four bytes, its last four bytes and its length. These identify a word of up to eight bytes: only "aardvark" is `aard`, `vark`, 8.
 * Longer words can have all three in common: "conservation" and "constipation" are both `cons`, `tion`, 12, so their middles,
 * `erva` and `tipa`, are compared as well.
 *
 * The table is reused for every text without being cleared. Each entry holds the number of its text, and an entry of an
 * earlier text counts as empty.
 *
 * The words move to a `Set` of strings if the table is half full, or if there are more collisions than chance explains, as
 * in a text written to cause them. The `Set` grows and the runtime seeds its hash, so the time stays linear for every text.
 */
import { AHEAD as BYTES_AHEAD } from './text-bytes.ts'

/** Copied, because the compiler inlines only a module's own constants. */
const AHEAD = BYTES_AHEAD
const SLOTS = 512
/** An entry: text number, first bytes, last bytes, and position and length in 16 bits each. */
const FIELDS = 4
const entries = new Int32Array(SLOTS * FIELDS)
const slotShift = 32 - Math.log2(SLOTS)
let text = 0
let count = 0
let probes = 0
let strings: Set<string> | undefined

/** Positions and lengths below this fit into an entry. A longer text uses a `Set` from the start. */
const TEXT_MAX = 2 ** 16

/** Forgets the words of the previous text and prepares for one of `length` bytes. */
export const clearWords = (length: number): void => {
  count = 0
  probes = 0
  strings = length < TEXT_MAX ? undefined : new Set()
  text++
  if (text === LAST_TEXT) {
    entries.fill(0)
    text = 1
  }
}

/** Adds the word of `length` bytes at `from`. `view` starts `AHEAD` bytes before the text. False if the word was there already. */
export const addWord = (view: DataView, from: number, length: number): boolean => {
  if (strings !== undefined) return addString(strings, view, from, length)
  const ends = length < 4 ? length : 4
  const head = view.getInt32(AHEAD + from, true) & (HEAD[ends] as number)
  const tail = view.getInt32(AHEAD + from + length - 4, true) & (TAIL[ends] as number)
  let at = (Math.imul(Math.imul(head, 0x9e3779b1) ^ tail ^ length, 0x85ebca6b) >>> slotShift) * FIELDS
  while (entries[at] === text) {
    if (
      entries[at + 1] === head &&
      entries[at + 2] === tail &&
      ((entries[at + 3] as number) & 0xffff) === length &&
      (length <= 8 || isSameMiddle(view, (entries[at + 3] as number) >>> 16, from, length))
    ) {
      return false
    }
    probes++
    at = (at + FIELDS) & (SLOTS * FIELDS - 1)
  }
  entries[at] = text
  entries[at + 1] = head
  entries[at + 2] = tail
  entries[at + 3] = (from << 16) | length
  count++
  if (count === WORDS_MAX || probes > PROBES_MAX) moveToStrings(view)
  return true
}

const LAST_TEXT = 2 ** 31 - 1
const WORDS_MAX = SLOTS / 2
/** Evenly hashed words need about a quarter of this many probes to fill half of the table. */
const PROBES_MAX = SLOTS

/** Masks for the first and last four bytes of a word of 0, 1, 2, 3, or at least 4 bytes. */
const HEAD = Int32Array.of(0, 0xff, 0xffff, 0xffffff, -1)
const TAIL = Int32Array.of(0, 0xff000000, 0xffff0000, 0xffffff00, -1)

const isSameMiddle = (view: DataView, one: number, other: number, length: number): boolean => {
  for (let at = AHEAD + 4; at < AHEAD + length - 4; at++) {
    if (view.getUint8(one + at) !== view.getUint8(other + at)) return false
  }
  return true
}

const moveToStrings = (view: DataView): void => {
  strings = new Set<string>()
  for (let at = 0; at < entries.length; at += FIELDS) {
    const place = entries[at + 3] as number
    if (entries[at] === text) addString(strings, view, place >>> 16, place & 0xffff)
  }
}

const decoder = new TextDecoder()

const addString = (set: Set<string>, view: DataView, from: number, length: number): boolean => {
  const size = set.size
  return set.add(decoder.decode(new Uint8Array(view.buffer, AHEAD + from, length))).size > size
}
