/** Which names a typed text finds, the best first; and whether it could be the id of a message. */

/** Names with their folded forms, which are made once for all that is typed. */
export type NameIndex = readonly { readonly name: string; readonly folded: string }[]

/** Without case and accents: `Zoë` is found by `zoe`. */
const fold = (text: string): string => text.normalize('NFKD').replace(/\p{M}/gu, '').toLowerCase()

export const indexNames = (names: Iterable<string>): NameIndex =>
  [...new Set(names)].map((name) => ({ name, folded: fold(name) }))

export type Matches = {
  readonly names: readonly string[]
  /** How many more names match. */
  readonly more: number
}

/** The name itself first, then names that start with the text, then those with a word that does; each in the order of the index. */
export const matchNames = (index: NameIndex, text: string, most: number): Matches => {
  const wanted = fold(text.trim())
  if (wanted === '') return { names: [], more: 0 }
  const words = wanted.split(/\s+/)
  const ranks: string[][] = [[], [], [], []]
  let found = 0
  for (const { name, folded } of index) {
    if (!words.every((word) => folded.includes(word))) continue
    found += 1
    ranks[rankOf(folded, wanted)]?.push(name)
  }
  const names = ranks.flat().slice(0, most)
  return { names, more: found - names.length }
}

const rankOf = (folded: string, wanted: string): number => {
  if (folded === wanted) return 0
  if (folded.startsWith(wanted)) return 1
  for (let at = folded.indexOf(wanted); at >= 0; at = folded.indexOf(wanted, at + 1)) {
    if (!/[\p{L}\p{N}]/u.test(folded[at - 1] ?? ' ')) return 2
  }
  return 3
}

/** The service has no longer ids. */
const ID_LENGTH_MAX = 200

/** The id in a typed or pasted text, which can be the title of a message on this page. */
export const idIn = (text: string): string | undefined => {
  const id = text.trim().replace(/^message\s+(?=\S)/i, '')
  return id === '' || id.length > ID_LENGTH_MAX ? undefined : id
}

/** Whether to say that there is no such message. A text id can be any text, but one without a digit is rather a name. */
export const looksLikeId = (id: string): boolean => /^".+"$/s.test(id) || (/\d/.test(id) && !/[\s@]/.test(id))
