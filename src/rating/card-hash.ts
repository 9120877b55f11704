import { createHash } from 'node:crypto'
import type { Card } from '#model/card.ts'
import { canonicalJson } from './canonical-json.ts'

/** Identifies a card by its content: SHA-256 of its canonical JSON, in hexadecimal. White space and the order of members do not matter. */
export const cardHash = (card: Card): string => createHash('sha256').update(canonicalJson(card)).digest('hex')
