/** Adds up both bills and their differences: in all, by day, by user and by model. */

import { sizeOf } from './decimals.ts'
import { type Difference, differenceOf, PARTS, type Part, type Resolution } from './differences.ts'
import type { OurGroup } from './our-usage.ts'
import type { TheirBill, TheirGroup } from './their-bill.ts'

/** A day, a user and a model. */
export type ComparedGroup = Difference & {
  readonly date: string
  /** As we spell it, if we know it. */
  readonly user: string
  readonly model: string
  readonly their: TheirGroup | undefined
  readonly our: OurGroup | undefined
}

export class Sums {
  messages = 0
  unpriced = 0
  rows = 0
  theirs = 0n
  ours = 0n
  readonly split: Record<Part, bigint> = { missingHere: 0n, missingThere: 0n, price: 0n, rounding: 0n, unexplained: 0n }

  add({ their, our, theirs, ours, split }: ComparedGroup): void {
    this.messages += our?.messages ?? 0
    this.unpriced += our?.unpriced ?? 0
    this.rows += their?.rows ?? 0
    this.theirs += theirs
    this.ours += ours
    for (const part of PARTS) this.split[part] += split[part]
  }

  get difference(): bigint {
    return this.theirs - this.ours
  }
}

/** Of a day, a user or a model. */
export type NamedSums = { readonly name: string; readonly sums: Sums }

/** Our names, by their keys. */
export type OurNames = {
  readonly members: ReadonlyMap<string, string>
  readonly models: ReadonlyMap<string, string>
}

export class Comparison {
  readonly total = new Sums()
  /** Without sign: what is too much of one user does not make up for what is too little of another. */
  unexplainedSize = 0n
  readonly #resolution: Resolution
  readonly #groups: ComparedGroup[] = []
  readonly #days = new Map<string, NamedSums>()
  readonly #users = new Map<string, NamedSums>()
  readonly #models = new Map<string, NamedSums>()
  readonly #names: OurNames
  readonly #told: Pick<TheirBill, 'hasUsers' | 'hasModels'>

  constructor(bill: Resolution & Pick<TheirBill, 'hasUsers' | 'hasModels'>, names: OurNames) {
    this.#resolution = bill
    this.#told = bill
    this.#names = names
  }

  /** `key` is that of both, of which one may be undefined. */
  add(key: string, their: TheirGroup | undefined, our: OurGroup | undefined): void {
    const [date = '', userKey = '', modelKey = ''] = key.split('\u0000')
    const group: ComparedGroup = {
      ...differenceOf(their, our, this.#resolution),
      date,
      user: our?.member || this.#names.members.get(userKey) || their?.user || '',
      model: our?.model || this.#names.models.get(modelKey) || their?.model || '',
      their,
      our,
    }
    this.#groups.push(group)
    this.total.add(group)
    this.unexplainedSize += sizeOf(group.split.unexplained)
    sumOf(this.#days, date, date).add(group)
    if (this.#told.hasUsers) sumOf(this.#users, userKey, group.user).add(group)
    if (this.#told.hasModels) sumOf(this.#models, modelKey, group.model).add(group)
  }

  /** The largest difference first, then in order of time. */
  inOrder(): readonly ComparedGroup[] {
    return this.#groups.sort(
      (one, other) =>
        compareSizes(other.difference, one.difference) ||
        compareTexts(one.date, other.date) ||
        compareTexts(one.user, other.user) ||
        compareTexts(one.model, other.model),
    )
  }

  days(): readonly NamedSums[] {
    return [...this.#days.values()].sort((one, other) => compareTexts(one.name, other.name))
  }

  users(): readonly NamedSums[] {
    return byDifference(this.#users)
  }

  models(): readonly NamedSums[] {
    return byDifference(this.#models)
  }
}

const byDifference = (sums: ReadonlyMap<string, NamedSums>) =>
  [...sums.values()].sort(
    (one, other) =>
      compareSizes(other.sums.difference, one.sums.difference) ||
      compareSizes(other.sums.ours, one.sums.ours) ||
      compareTexts(one.name, other.name),
  )

const sumOf = (all: Map<string, NamedSums>, key: string, name: string): Sums => {
  let found = all.get(key)
  if (found === undefined) {
    found = { name, sums: new Sums() }
    all.set(key, found)
  }
  return found.sums
}

const compareSizes = (one: bigint, other: bigint): number => {
  const [a, b] = [sizeOf(one), sizeOf(other)]
  return a < b ? -1 : a > b ? 1 : 0
}

const compareTexts = (one: string, other: string): number => (one < other ? -1 : one > other ? 1 : 0)
