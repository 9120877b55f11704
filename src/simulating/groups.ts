/** Sums of groups: as many as fit are told apart, and those that change most are shown. */
import { Sums } from './sums.ts'

/** `others` has everything that no group of its own shows. */
export type Groups<T> = { readonly groups: readonly (T & { readonly sums: Sums })[]; readonly others?: Sums }

/** How many are told apart. All later ones are `others`. */
const GROUPS_MAX = 100_000
/** Those that change most. */
const GROUPS_SHOWN = 100

export class GroupSums<T extends object> {
  readonly #groups = new Map<string, { of: T; readonly sums: Sums }>()
  readonly #untold = new Sums()
  readonly #latter: (known: T, other: T) => T

  /** `latter` chooses between two descriptions of the same group. */
  constructor(latter: (known: T, other: T) => T = (known) => known) {
    this.#latter = latter
  }

  add(key: string, of: T, sums: Sums): void {
    let group = this.#groups.get(key)
    if (group === undefined) {
      if (this.#groups.size >= GROUPS_MAX) {
        this.#untold.addAll(sums)
        return
      }
      group = { of, sums: new Sums() }
      this.#groups.set(key, group)
    }
    group.of = this.#latter(group.of, of)
    group.sums.addAll(sums)
  }

  addAll(other: GroupSums<T>, keyOf: (of: T, key: string) => string): void {
    for (const [key, { of, sums }] of other.#groups) this.add(keyOf(of, key), of, sums)
    this.#untold.addAll(other.#untold)
  }

  /** Those that change most first; of equal changes, those with more messages. */
  shown<N extends object>(nameOf: (of: T) => N, most = GROUPS_SHOWN): Groups<N> {
    const sorted = [...this.#groups.values()]
      .map(({ of, sums }) => ({ of, sums, size: sizeOf(sums.difference) }))
      .sort((one, other) => compare(other.size, one.size) || other.sums.messages - one.sums.messages)
    const others = new Sums()
    others.addAll(this.#untold)
    for (const { sums } of sorted.slice(most)) others.addAll(sums)
    const groups = sorted.slice(0, most).map(({ of, sums }) => ({ ...nameOf(of), sums }))
    return { groups, ...(others.messages > 0 && { others }) }
  }
}

const sizeOf = (difference: bigint): bigint => (difference < 0n ? -difference : difference)

const compare = (one: bigint, other: bigint): number => (one < other ? -1 : one > other ? 1 : 0)
