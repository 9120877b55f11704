/**
 * Tells whether two messages with one id have the same content, without keeping the text: HMAC-SHA-256 (RFC 2104), of which
 * 16 bytes are kept (its section 5 allows half). Without the key nobody can find out from the store which text it was by
 * hashing likely sentences; who has both the store and the key can.
 *
 * RFC 2104 is written out here, with a key of ASCII characters so that the inner hash is one call on one string.
 * createHmac takes about twice the time (bench/content-digest.ts). A test compares the two.
 */
import { hash } from 'node:crypto'
import type { Message } from '#model/message.ts'

export const DIGEST_BYTES = 16

const BLOCK_BYTES = 64

/** What a key must be: it goes into one block of SHA-256 as it is. */
export const isContentKey = (key: string): boolean => /^[\x21-\x7e]{32,64}$/.test(key)

export type ContentDigest = (message: Message) => Uint8Array

/** Throws a RangeError where the key is none. */
export const createContentDigest = (key: string): ContentDigest => {
  if (!isContentKey(key)) throw new RangeError('a content key has 32 to 64 visible ASCII characters')
  const inner = padded(key, 0x36)
  const outer = Buffer.alloc(BLOCK_BYTES + 32)
  outer.write(padded(key, 0x5c), 'latin1')
  return (message) => {
    outer.write(hash('sha256', inner + canonicalContent(message), 'latin1'), BLOCK_BYTES, 'latin1')
    return Buffer.from(hash('sha256', outer, 'latin1').slice(0, DIGEST_BYTES), 'latin1')
  }
}

/** Characters below 0x80 stay below it, so the string's UTF-8 bytes are the block's bytes. */
const padded = (key: string, pad: number): string =>
  String.fromCharCode(
    ...Array.from({ length: BLOCK_BYTES }, (_, at) => (at < key.length ? key.charCodeAt(at) : 0) ^ pad),
  )

/**
 * Everything of a message, in a form in which two messages are equal only if all their parts are. No part but the text can
 * hold U+0000; a text with lone surrogates, which UTF-8 cannot tell apart, is written with escapes and a mark of its own.
 */
export const canonicalContent = ({ id, text, timestamp, reportId, member }: Message): string => {
  const head = `${typeof id === 'number' ? '#' : '"'}${id}\u0000${canonicalTime(timestamp)}\u0000${reportId ?? ''}\u0000${member ?? ''}`
  return text.isWellFormed() ? `${head}\u0000t${text}` : `${head}\u0000j${JSON.stringify(text)}`
}

const CANONICAL = /^\d{4}-\d\d-\d\dT\d\d:\d\d:[0-5]\d\.\d{3}Z$/

/** The instant in full precision: the same one written with another offset or more zeros is the same content. */
const canonicalTime = (timestamp: string): string => {
  if (CANONICAL.test(timestamp)) return timestamp
  const fraction = (/\.(\d+)/.exec(timestamp)?.[1] ?? '').replace(/0+$/, '').padEnd(3, '0')
  const second = timestamp.slice(17, 19)
  const offset = /(?:[Zz]|[+-]\d\d:\d\d)$/.exec(timestamp)?.[0].toUpperCase() ?? ''
  const minute = new Date(`${timestamp.slice(0, 10)}T${timestamp.slice(11, 16)}:00${offset}`).toISOString().slice(0, 17)
  return `${minute}${second}.${fraction}Z`
}
