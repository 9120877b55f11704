/** Texts for benchmarks: real ones if available, otherwise synthetic ones of similar lengths and scripts. */
import { readLargeTexts, skipWithout } from '../test/shared-data.ts'

export type Texts = { readonly source: string; readonly texts: readonly string[] }

export const benchTexts = (): Texts => {
  if (skipWithout('messages.large.jsonl.gz') === false) return { source: 'real messages', texts: readLargeTexts() }
  return { source: 'synthetic messages', texts: Array.from({ length: 50_000 }, (_, index) => madeUpText(index)) }
}

const WORDS =
  'the lease tenant landlord of rent break clause is what who repair review insurance notice when a deposit'.split(' ')
const OTHER_WORDS = 'договор аренды арендатор срок 租约 条款 ενοίκιο किराया Résumé défaut Mängel 보증금 عقد'.split(' ')

/** Like real texts: mostly short, some long, 30 % not ASCII. Deterministic by index. */
export const madeUpText = (index: number): string => {
  const random = sequence(index + 1)
  const count = random() < 0.05 ? 100 + random() * 100 : 3 + random() * 12
  const isOther = random() < 0.3
  const words: string[] = []
  while (words.length < count) {
    const list = isOther && random() < 0.6 ? OTHER_WORDS : WORDS
    words.push(list[Math.floor(random() * list.length)] ?? '')
  }
  return `${words.join(' ')}?`
}

/** Mulberry32: random numbers from 0 to 1. */
const sequence = (seed: number) => {
  let state = seed
  return (): number => {
    state = (state + 0x6d2b79f5) | 0
    let bits = Math.imul(state ^ (state >>> 15), 1 | state)
    bits = (bits + Math.imul(bits ^ (bits >>> 7), 61 | bits)) ^ bits
    return ((bits ^ (bits >>> 14)) >>> 0) / 2 ** 32
  }
}
