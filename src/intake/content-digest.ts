/**
 * Tells whether two messages with the same id have the same content, without keeping the text: HMAC-SHA-256 (RFC 2104),
 * truncated to 16 bytes (its section 5 allows half). Without the key, nobody can recover a text from the store by hashing
 * likely sentences; anyone who has both the store and the key can.
 *
 * HMAC is written out here, with an ASCII key so that the inner hash is one call on one string: createHmac takes about twice as
 * long (bench/content-digest.ts). A test compares the two.
 */
import { hash } from 'node:crypto'
import type { TokenCounts } from '#model/facts.ts'
import type { Message } from '#model/message.ts'
import { DIGEST_BYTES } from '#model/usage-record.ts'

const BLOCK_BYTES = 64

/** A key must fit unchanged into one block of SHA-256. */
export const isContentKey = (key: string): boolean => /^[\x21-\x7e]{32,64}$/.test(key)

export type ContentDigest = (message: Message) => Uint8Array

/** Throws a RangeError if the key is not valid. */
export const createContentDigest = (key: string): ContentDigest => {
  if (!isContentKey(key)) throw new RangeError('a content key must be 32 to 64 visible ASCII characters')
  const inner = padded(key, 0x36)
  const outer = Buffer.alloc(BLOCK_BYTES + 32)
  outer.write(padded(key, 0x5c), 'latin1')
  return (message) => {
    outer.write(hash('sha256', inner + canonicalContent(message), 'latin1'), BLOCK_BYTES, 'latin1')
    return Buffer.from(hash('sha256', outer, 'latin1').slice(0, DIGEST_BYTES), 'latin1')
  }
}

/** Characters below 0x80 stay below it, so the UTF-8 bytes of the string are the bytes of the block. */
const padded = (key: string, pad: number): string =>
  String.fromCharCode(
    ...Array.from({ length: BLOCK_BYTES }, (_, at) => (at < key.length ? key.charCodeAt(at) : 0) ^ pad),
  )

/**
 * A message as one string, such that two messages give the same string only if all their parts are equal. In the head, nothing
 * can contain U+0000. UTF-8 does not distinguish lone surrogates, so a text that contains any is escaped and marked. What else
 * a message brought has a mark of its own: the string of a text alone must stay what it is in existing databases.
 */
export const canonicalContent = (message: Message): string => {
  const { id, text, timestamp, reportId, member, team, brought } = message
  const head = `${typeof id === 'number' ? '#' : '"'}${id}\u0000${canonicalTime(timestamp)}\u0000${reportId ?? ''}\u0000${member ?? ''}`
  if (text === undefined || team !== undefined || brought !== undefined)
    return `${head}\u0000f${broughtContent(message)}`
  return text.isWellFormed() ? `${head}\u0000t${text}` : `${head}\u0000j${JSON.stringify(text)}`
}

/** JSON with sorted keys. What says the same is the same: a count of 0 and an absent one, `succeeded` and no outcome. */
const broughtContent = ({ text, team, brought = {} }: Message): string => {
  const { attributes, model, outcome, quantities, tokens } = brought
  return JSON.stringify({
    attributes: attributes && sorted(attributes),
    model,
    outcome,
    quantities: quantities && sorted(quantities),
    team,
    text: text ?? null,
    usage: tokens && usageContent(tokens),
  })
}

const usageContent = (tokens: TokenCounts) => ({
  cache_read_tokens: tokens.cacheRead || undefined,
  cache_write_1h_tokens: tokens.cacheWrite1h || undefined,
  cache_write_tokens: tokens.cacheWrite || undefined,
  input_tokens: tokens.input || undefined,
  output_tokens: tokens.output || undefined,
  reasoning_tokens: tokens.reasoning || undefined,
})

/** By UTF-16 code units, which is how names of lowercase letters, digits and underscores sort everywhere. */
const sorted = <T>(members: Readonly<Record<string, T>>): Readonly<Record<string, T>> =>
  Object.fromEntries(Object.entries(members).toSorted(([one], [other]) => (one < other ? -1 : 1)))

const CANONICAL = /^\d{4}-\d\d-\d\dT\d\d:\d\d:[0-5]\d\.\d{3}Z$/

/** The instant at full precision: a different offset or more trailing zeros do not change the content. */
const canonicalTime = (timestamp: string): string => {
  if (CANONICAL.test(timestamp)) return timestamp
  const fraction = (/\.(\d+)/.exec(timestamp)?.[1] ?? '').replace(/0+$/, '').padEnd(3, '0')
  const second = timestamp.slice(17, 19)
  const offset = /(?:[Zz]|[+-]\d\d:\d\d)$/.exec(timestamp)?.[0].toUpperCase() ?? ''
  const minute = new Date(`${timestamp.slice(0, 10)}T${timestamp.slice(11, 16)}:00${offset}`).toISOString().slice(0, 17)
  return `${minute}${second}.${fraction}Z`
}
