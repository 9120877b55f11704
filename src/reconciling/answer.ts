/** Reconciliations in the words of the API. */
import { plainQuantity } from '#model/credits.ts'
import { type ComparedGroup, type NamedSums, Sums } from './comparison.ts'
import { type Exact, toMicros } from './decimals.ts'
import type { Part } from './differences.ts'
import type { OurGroup } from './our-usage.ts'
import type { Reconciliation } from './reconciliations.ts'
import { sentenceOf } from './sentences.ts'
import type { TheirGroup } from './their-bill.ts'
import { vendorOf } from './vendors.ts'

/** The most that an answer lists of each: combinations of day, user and model; users; models. */
export const COMPARISONS_MAX = 100_000
export const COMPARISONS_BY_DEFAULT = 100

export const toReconciliationAnswer = (reconciliation: Reconciliation, limit = COMPARISONS_BY_DEFAULT) => {
  const { organization, vendor, timeZone, from, to, rows, comparison, adjustments, tolerance } = reconciliation
  const { title } = vendorOf[vendor]
  const groups = comparison.inOrder()
  const rest = groups.slice(limit)
  return {
    organization: organization.id,
    vendor,
    time_zone: timeZone,
    from,
    to,
    rows: {
      read: rows.read,
      repeated: rows.repeated,
      outside: rows.outside,
      other: [...rows.other].map(([unit, count]) => ({ unit, rows: count })),
    },
    ...toSums(comparison.total),
    unexplained_size: amountOf(comparison.unexplainedSize),
    tolerance: amountOf(tolerance),
    is_within_tolerance: reconciliation.isWithinTolerance,
    adjustments: { messages: adjustments.messages, credits: amountOf(BigInt(adjustments.credits)) },
    by_day: comparison.days().map(({ name, sums }) => ({ date: name, ...toSums(sums) })),
    by_user: toGroups(comparison.users().slice(0, limit), (name) => (name === '' ? {} : { user: name })),
    by_model: toGroups(comparison.models().slice(0, limit), (name) => (name === '' ? {} : { model: name })),
    comparisons: groups.slice(0, limit).map((each) => toCompared(each, title)),
    ...(rest.length > 0 && { other_comparisons: { groups: rest.length, ...toSums(sumOf(rest)) } }),
  }
}

const sumOf = (groups: readonly ComparedGroup[]): Sums => {
  const sums = new Sums()
  for (const group of groups) sums.add(group)
  return sums
}

const toGroups = <N extends object>(all: readonly NamedSums[], toName: (name: string) => N) =>
  all.map(({ name, sums }) => ({ ...toName(name), ...toSums(sums) }))

const toSums = ({ messages, unpriced, rows, theirs, ours, difference, split }: Sums) => ({
  messages,
  ...(unpriced > 0 && { unpriced }),
  vendor_rows: rows,
  credits: amountOf(ours),
  vendor_credits: amountOf(theirs),
  ...toSplit(difference, split),
})

const toSplit = (difference: bigint, split: Readonly<Record<Part, bigint>>) => ({
  difference: amountOf(difference),
  missing_here: amountOf(split.missingHere),
  missing_there: amountOf(split.missingThere),
  price: amountOf(split.price),
  rounding: amountOf(split.rounding),
  unexplained: amountOf(split.unexplained),
})

const toCompared = (group: ComparedGroup, title: string) => {
  const { date, user, model, theirs, ours, difference, split, their, our } = group
  const explanation = sentenceOf(group, title)
  return {
    date,
    ...(user !== '' && { user }),
    ...(model !== '' && { model }),
    ...(their !== undefined && their.user !== '' && their.user !== user && { vendor_user: their.user }),
    ...(their !== undefined && their.model !== '' && their.model !== model && { vendor_model: their.model }),
    messages: our?.messages ?? 0,
    ...(our !== undefined && our.unpriced > 0 && { unpriced: our.unpriced }),
    vendor_rows: their?.rows ?? 0,
    ...(our !== undefined && toOurQuantities(our)),
    ...(their !== undefined && toTheirQuantities(their)),
    credits: amountOf(ours),
    vendor_credits: amountOf(theirs),
    ...toSplit(difference, split),
    ...(explanation !== '' && { explanation }),
  }
}

const toOurQuantities = ({ tokens }: OurGroup) => {
  const counts = Object.values(tokens)
  if (counts.every((count) => BigInt(count) === 0n)) return {}
  const { input, cacheRead, cacheWrite, output } = tokens
  return {
    tokens: {
      input: whole(input),
      cache_read: whole(cacheRead),
      cache_write: whole(cacheWrite),
      output: whole(output),
    },
  }
}

const toTheirQuantities = ({ credits, requests, tokens }: TheirGroup) => {
  const { input, cacheRead, cacheWrite, output } = tokens
  return {
    ...(credits !== undefined && { vendor_quantity: quantityOf(credits) }),
    ...(requests !== undefined && { vendor_requests: quantityOf(requests) }),
    ...((input ?? cacheRead ?? cacheWrite ?? output) !== undefined && {
      vendor_tokens: {
        ...(input !== undefined && { input: quantityOf(input) }),
        ...(cacheRead !== undefined && { cache_read: quantityOf(cacheRead) }),
        ...(cacheWrite !== undefined && { cache_write: quantityOf(cacheWrite) }),
        ...(output !== undefined && { output: quantityOf(output) }),
      },
    }),
  }
}

const whole = (count: number | bigint) => plainQuantity(BigInt(count) * 1_000_000n)

const quantityOf = (value: Exact) => plainQuantity(toMicros(value))

/** Not `plainNumber`: a vendor's file can say more than ours can come to. */
const amountOf = (micros: bigint) => plainQuantity(micros)
