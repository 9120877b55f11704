/**
 * Converts a stream of text in any encoding to UTF-8. An invalid byte is an error with its line and column: replacing it with
 * U+FFFD would charge for a character that nobody wrote. A U+FFFD in the input is an ordinary character.
 */
import { isUtf8 } from 'node:buffer'

type Chunks = AsyncIterable<Buffer>

/** The bytes are not valid in their encoding. The message never quotes them. */
export class BadEncoding extends Error {
  readonly line: number
  readonly column: number

  constructor(line: number, column: number, reason: string) {
    super(reason)
    this.name = 'BadEncoding'
    this.line = line
    this.column = column
  }
}

/** The canonical name of an encoding (`latin1` is `windows-1252`), or undefined if the label is unknown. */
export const encodingNamed = (label: string): string | undefined => {
  try {
    const { encoding } = new TextDecoder(label)
    return encoding === 'replacement' || encoding === 'x-user-defined' ? undefined : encoding
  } catch {
    return undefined
  }
}

/** The encoding named by a byte order mark, if there is one. */
export const encodingOfMark = (head: Uint8Array): 'utf-8' | 'utf-16le' | 'utf-16be' | 'utf-32' | undefined => {
  const [a, b, c, d] = head
  if (a === 0xef && b === 0xbb && c === 0xbf) return 'utf-8'
  if ((a === 0xff && b === 0xfe && c === 0 && d === 0) || (a === 0 && b === 0 && c === 0xfe && d === 0xff)) {
    return 'utf-32'
  }
  if (a === 0xff && b === 0xfe) return 'utf-16le'
  return a === 0xfe && b === 0xff ? 'utf-16be' : undefined
}

/** Recognizes UTF-16 without a byte order mark: in mostly ASCII text, every second byte is 0. */
export const looksLikeUtf16 = (head: Uint8Array): 'utf-16le' | 'utf-16be' | undefined => {
  let [even, odd] = [0, 0]
  for (let at = 0; at < head.length; at++) if (head[at] === 0) at % 2 === 0 ? even++ : odd++
  const many = head.length * 0.3
  if (odd > many && even === 0) return 'utf-16le'
  return even > many && odd === 0 ? 'utf-16be' : undefined
}

/** `encoding` is a name from `encodingNamed`. Drops a byte order mark. No chunk ends inside a character. */
export async function* toUtf8(chunks: Chunks, encoding: string): AsyncGenerator<Buffer> {
  const read =
    encoding === 'utf-8' ? readUtf8() : encoding.startsWith('utf-16') ? readUtf16(encoding) : readLegacy(encoding)
  const place = createPlace()
  let isStart = true
  const checked = (text: Buffer): Buffer => {
    const bytes = isStart && encodingOfMark(text) === 'utf-8' ? text.subarray(3) : text
    if (text.length > 0) isStart = false
    const nul = bytes.indexOf(0)
    if (nul >= 0) {
      place.pass(bytes.subarray(0, nul))
      throw place.error('U+0000 is not allowed in text; the file may be damaged, or partly in another encoding')
    }
    place.pass(bytes)
    return bytes
  }
  const fail = (good: Buffer, reason: string): never => {
    place.pass(good)
    throw place.error(reason)
  }
  for await (const chunk of chunks) {
    const { good, bad } = read(chunk, false)
    if (bad !== undefined) fail(good, bad)
    const bytes = checked(good)
    if (bytes.length > 0) yield bytes
  }
  const { good, bad } = read(Buffer.alloc(0), true)
  if (bad !== undefined) fail(good, bad)
  const bytes = checked(good)
  if (bytes.length > 0) yield bytes
}

/** `good` is UTF-8 up to the first invalid byte; `bad` says what is wrong there. */
type Read = (chunk: Buffer, isEnd: boolean) => { readonly good: Buffer; readonly bad?: string }

const readUtf8 = (): Read => {
  let cut: Buffer = Buffer.alloc(0)
  return (chunk, isEnd) => {
    const bytes = cut.length === 0 ? chunk : Buffer.concat([cut, chunk])
    const whole = isEnd ? bytes.length : wholeCharacters(bytes)
    const good = bytes.subarray(0, whole)
    cut = Buffer.from(bytes.subarray(whole))
    if (isUtf8(good)) return { good }
    const length = goodUtf8(good)
    const isCutOff = isEnd && bytes.length - length < 4 && wholeCharacters(bytes) < bytes.length
    if (isCutOff)
      return { good: good.subarray(0, length), bad: 'the file ends in the middle of a character; it may be cut off' }
    return { good: good.subarray(0, length), bad: `not valid UTF-8; ${likelyEncoding(good.subarray(length))}` }
  }
}

/** How many bytes come before a character that is cut off at the end. */
const wholeCharacters = (bytes: Uint8Array): number => {
  for (let back = 1; back <= 3 && back <= bytes.length; back++) {
    const byte = bytes[bytes.length - back] ?? 0
    if (byte < 0x80) return bytes.length
    if (byte < 0xc0) continue
    const length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2
    return length > back ? bytes.length - back : bytes.length
  }
  return bytes.length
}

/** How many bytes are valid. Slow, character by character: called only when something is invalid. */
const goodUtf8 = (bytes: Buffer): number => {
  let at = 0
  while (at < bytes.length) {
    const byte = bytes[at] ?? 0
    const length = byte < 0x80 ? 1 : byte < 0xe0 ? 2 : byte < 0xf0 ? 3 : 4
    const character = bytes.subarray(at, at + length)
    if (length > 1 && (character.length < length || !isUtf8(character))) return at
    at += length
  }
  return at
}

/** Guesses a legacy encoding: Western text has single non-ASCII bytes between ASCII letters, other scripts have runs of them. */
const likelyEncoding = (from: Buffer): string => {
  let [alone, inRows, macintosh] = [0, 0, 0]
  const bytes = from.subarray(0, 64 * 1024)
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at] ?? 0
    if (byte < 0x80) continue
    if ((bytes[at + 1] ?? 0) >= 0x80 || (at > 0 && (bytes[at - 1] ?? 0) >= 0x80)) inRows++
    else alone++
    if (byte > 0x80 && byte < 0xa0 && byte !== 0x85 && !(byte >= 0x91 && byte <= 0x97)) macintosh++
  }
  if (inRows > alone) {
    return 'the file may be windows-1251, shift_jis, gb18030 or another encoding. Save it as UTF-8, or name its encoding with --encoding'
  }
  const likely = macintosh > alone / 2 ? 'macintosh' : 'windows-1252'
  return `the file is probably ${likely}, which Excel writes as "CSV". Save it as "CSV UTF-8", or use --encoding ${likely}`
}

const readUtf16 = (encoding: string): Read => {
  let cut: Buffer = Buffer.alloc(0)
  let surrogate = ''
  return (chunk, isEnd) => {
    const bytes = Buffer.concat([cut, chunk])
    const even = bytes.length - (bytes.length % 2)
    const units = bytes.subarray(0, even)
    cut = bytes.subarray(even)
    const text = surrogate + (encoding === 'utf-16be' ? units.swap16() : units).toString('utf16le')
    const isCut = !isEnd && /[\ud800-\udbff]$/.test(text)
    surrogate = isCut ? text.slice(-1) : ''
    const whole = isCut ? text.slice(0, -1) : text
    const good = wellFormedStart(whole)
    if (good < whole.length)
      return {
        good: Buffer.from(whole.slice(0, good)),
        bad: `not valid ${encoding}: unpaired surrogate`,
      }
    if (isEnd && cut.length > 0)
      return { good: Buffer.from(whole), bad: 'the file ends in the middle of a character; it may be cut off' }
    return { good: Buffer.from(whole) }
  }
}

const wellFormedStart = (text: string): number => {
  if (text.isWellFormed()) return text.length
  return /[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/.exec(text)?.index ?? text.length
}

const readLegacy = (encoding: string): Read => {
  const decoder = new TextDecoder(encoding)
  return (chunk, isEnd) => {
    const text = decoder.decode(chunk, { stream: !isEnd })
    // The decoder turns unassigned bytes into U+FFFD or into control characters from U+0080 on, which real text never contains.
    const bad = text.search(/[\ufffd\u0080-\u0084\u0086-\u009f]/)
    if (bad < 0) return { good: Buffer.from(text) }
    return {
      good: Buffer.from(text.slice(0, bad)),
      bad: `not valid ${encoding}; the file may be in another encoding`,
    }
  }
}

/** Tracks the line and column of the text read so far. */
const createPlace = () => {
  let line = 1
  let column = 1
  return {
    pass: (bytes: Buffer): void => {
      const ends = countOf(bytes, 0x0a)
      const code = ends > 0 ? 0x0a : 0x0d
      const count = ends > 0 ? ends : countOf(bytes, 0x0d)
      const last = count > 0 ? bytes.lastIndexOf(code) : -1
      line += count
      column = (count > 0 ? 1 : column) + bytes.toString('utf8', last + 1).length
    },
    error: (reason: string): BadEncoding => new BadEncoding(line, column, reason),
  }
}

const countOf = (bytes: Buffer, byte: number): number => {
  let count = 0
  for (let at = bytes.indexOf(byte); at >= 0; at = bytes.indexOf(byte, at + 1)) count++
  return count
}
