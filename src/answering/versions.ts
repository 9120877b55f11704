/**
 * Versions of answers: a version changes whenever the answer to a request can change. It is found before the answer is read, so
 * a client that already has the answer costs little.
 */
import { createHash } from 'node:crypto'

/** There is no answer if the caller already has that version. */
export type Versioned<T> = { readonly version: string; readonly answer?: T }

export type Known = (version: string) => boolean

/** The version of everything that an answer depends on. Processes with the same state agree on it. */
export const versionOf = (state: readonly unknown[]): string =>
  createHash('sha256').update(JSON.stringify(state)).digest('hex').slice(0, HEX_DIGITS)

/** 128 bits. */
const HEX_DIGITS = 32
