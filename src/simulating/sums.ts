/** What messages cost before and after, added up exactly. */
import { exactSum } from '#ledger/priced-batch.ts'
import { type CreditsSum, creditsSum } from '#model/credits.ts'

/** Amounts are NaN without a price. A sum stays a number for as long as that is exact. */
export class Sums {
  messages = 0
  unpricedBefore = 0
  unpricedAfter = 0
  /** Messages that cost more, and less, than before. */
  costlier = 0
  cheaper = 0
  #before: number | bigint = 0
  #after: number | bigint = 0

  add(before: number, after: number): void {
    this.messages++
    const [paid, pays] = [amountOf(before), amountOf(after)]
    if (before !== paid) this.unpricedBefore++
    if (after !== pays) this.unpricedAfter++
    if (pays > paid) this.costlier++
    else if (pays < paid) this.cheaper++
    this.#before = exactSum(this.#before, paid)
    this.#after = exactSum(this.#after, pays)
  }

  addAll(other: Sums): void {
    this.messages += other.messages
    this.unpricedBefore += other.unpricedBefore
    this.unpricedAfter += other.unpricedAfter
    this.costlier += other.costlier
    this.cheaper += other.cheaper
    this.#before = exactSum(this.#before, other.#before)
    this.#after = exactSum(this.#after, other.#after)
  }

  get before(): CreditsSum {
    return creditsSum(BigInt(this.#before))
  }

  get after(): CreditsSum {
    return creditsSum(BigInt(this.#after))
  }

  get difference(): CreditsSum {
    return creditsSum(BigInt(this.#after) - BigInt(this.#before))
  }
}

/** Without a price, nothing is charged. */
export const amountOf = (credits: number): number => (Number.isNaN(credits) ? 0 : credits)
