/**
 * Why their bill differs from ours, for one day, user and model. The difference is theirs less ours, and its five parts add up to it
 * exactly, in whole micro-credits.
 */
import { type Exact, halfUnit, ONE, ofMicros, product, sizeOf, toMicros } from './decimals.ts'
import type { OurGroup } from './our-usage.ts'
import type { TheirBill, TheirGroup } from './their-bill.ts'
import { TOKEN_KINDS } from './their-rows.ts'

export const PARTS = ['missingHere', 'missingThere', 'price', 'rounding', 'unexplained'] as const
export type Part = (typeof PARTS)[number]

/** In micro-credits. */
export type Split = Readonly<Record<Part, bigint>>

/** What both sides count, and whether they count the same: undefined if nothing is counted on both. */
export type Compared = { readonly by: 'tokens' | 'requests' | 'nothing'; readonly isSame: boolean | undefined }

export type Difference = {
  readonly theirs: bigint
  readonly ours: bigint
  readonly difference: bigint
  readonly split: Split
  readonly compared: Compared
}

export type Resolution = Pick<TheirBill, 'amountDecimals' | 'creditDecimals' | 'creditsPerUnit'>

/** The cents in which bills are rounded at the coarsest: a column of whole numbers is no proof of rounding. */
const DECIMALS_LEAST = 2
/** A line of ours is rounded by half a micro-credit at most, and a message has a line for each of four kinds of tokens. */
const MICROS_PER_MESSAGE = 2n

const NONE: Split = { missingHere: 0n, missingThere: 0n, price: 0n, rounding: 0n, unexplained: 0n }

export const differenceOf = (
  their: TheirGroup | undefined,
  our: OurGroup | undefined,
  resolution: Resolution,
): Difference => {
  const theirs: bigint = their === undefined ? 0n : toMicros(their.amount)
  const ours = BigInt(our?.credits ?? 0)
  const difference = theirs - ours
  const about = { theirs, ours, difference }
  if (their === undefined) return { ...about, split: { ...NONE, missingThere: difference }, compared: NOT_COMPARED }
  if (our === undefined) return { ...about, split: { ...NONE, missingHere: difference }, compared: NOT_COMPARED }

  const compared = compare(their, our)
  const known = knownParts(their, resolution)
  const rest = difference - known.rounding - known.price
  const part = partOf(rest, compared.isSame, roundingMax(their, our, resolution))
  const split = { ...NONE, ...known }
  return { ...about, split: { ...split, [part]: split[part] + rest }, compared }
}

const NOT_COMPARED: Compared = { by: 'nothing', isSame: undefined }

/** What their rows say by themselves: how they round, and how much more than a credit a credit costs. */
const knownParts = ({ rows, gap, surcharge }: TheirGroup, { amountDecimals, creditsPerUnit }: Resolution) => {
  const roundingMax = BigInt(rows) * unitOf(amountDecimals, creditsPerUnit)
  const isRounding = sizeOf(gap) <= roundingMax
  return {
    rounding: isRounding ? toMicros(gap) : 0n,
    price: toMicros(surcharge + (isRounding ? 0n : gap)),
  }
}

/** The most that rounding changes, in micro-credits. */
const roundingMax = (
  their: TheirGroup,
  our: OurGroup,
  { amountDecimals, creditDecimals, creditsPerUnit }: Resolution,
): bigint => {
  const byAmount = BigInt(their.rowsByAmount) * unitOf(amountDecimals, creditsPerUnit)
  const byCredits =
    their.credits === undefined ? 0n : BigInt(their.rows) * halfUnit(Math.max(creditDecimals, DECIMALS_LEAST))
  return (byAmount + byCredits) / ofMicros(1n) + MICROS_PER_MESSAGE * BigInt(our.messages) + 1n
}

const unitOf = (decimals: number, creditsPerUnit: Exact): Exact =>
  product(halfUnit(Math.max(decimals, DECIMALS_LEAST)), creditsPerUnit)

const partOf = (rest: bigint, isSame: boolean | undefined, most: bigint): Part => {
  if (isSame === false) return 'unexplained'
  if (sizeOf(rest) <= most) return 'rounding'
  return isSame === true ? 'price' : 'unexplained'
}

/**
 * Tokens are compared if both sides have any, else requests. Input is the same if it is all of the prompt or its uncached part: not
 * every vendor says which of them it counts.
 */
const compare = (their: TheirGroup, our: OurGroup): Compared => {
  const { tokens } = their
  const ours = TOKEN_KINDS.map((kind) => BigInt(our.tokens[kind]))
  if (tokens.input !== undefined && tokens.output !== undefined && ours.some((count) => count > 0n)) {
    const [input = 0n, cacheRead = 0n, cacheWrite = 0n, output = 0n] = ours.map((count) => count * ONE)
    const isSame =
      tokens.output === output &&
      (tokens.input === input || tokens.input === input + cacheRead + cacheWrite) &&
      (tokens.cacheRead === undefined || tokens.cacheRead === cacheRead) &&
      (tokens.cacheWrite === undefined || tokens.cacheWrite === cacheWrite)
    return { by: 'tokens', isSame }
  }
  if (their.requests === undefined) return NOT_COMPARED
  const isSame = their.requests === BigInt(our.messages) * ONE
  return isSame || their.isCount ? { by: 'requests', isSame } : NOT_COMPARED
}
