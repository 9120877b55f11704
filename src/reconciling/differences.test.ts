import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ONE, writtenDecimal } from './decimals.ts'
import { differenceOf, PARTS, type Split } from './differences.ts'
import type { OurGroup } from './our-usage.ts'
import type { TheirGroup } from './their-bill.ts'

const exact = (text: string): bigint => writtenDecimal(text)?.value ?? 0n

const their = (amount: string, more: Partial<TheirGroup> = {}): TheirGroup => ({
  date: '2026-10-05',
  user: 'ada',
  model: 'm',
  rows: 1,
  amount: exact(amount),
  gap: 0n,
  surcharge: 0n,
  rowsByAmount: 1,
  credits: undefined,
  requests: undefined,
  isCount: true,
  tokens: { input: undefined, cacheRead: undefined, cacheWrite: undefined, output: undefined },
  ...more,
})

const our = (micros: number, more: Partial<OurGroup> = {}): OurGroup => ({
  date: '2026-10-05',
  member: 'ada',
  model: 'm',
  messages: 1,
  unpriced: 0,
  credits: micros,
  tokens: { input: 0, cacheRead: 0, cacheWrite: 0, output: 0 },
  ...more,
})

const CENTS = { amountDecimals: 2, creditDecimals: 0, creditsPerUnit: 100n * ONE }
const FINE = { ...CENTS, amountDecimals: 8 }
const tokens = (input: number, output: number, cacheRead = 0) => ({
  input: BigInt(input) * ONE,
  cacheRead: BigInt(cacheRead) * ONE,
  cacheWrite: undefined,
  output: BigInt(output) * ONE,
})
const ours = (input: number, output: number, cacheRead = 0) => ({ input, cacheRead, cacheWrite: 0, output })

type Case = readonly [name: string, ...Parameters<typeof differenceOf>, expected: Partial<Split>]

const CASES: readonly Case[] = [
  ['no usage here', their('12.5'), undefined, CENTS, { missingHere: 12_500_000n }],
  ['a refund without usage', their('-1.25'), undefined, CENTS, { missingHere: -1_250_000n }],
  ['no row there', undefined, our(3_000_000), CENTS, { missingThere: -3_000_000n }],
  ['the same', their('1'), our(1_000_000), FINE, {}],
  ['cents, of one request', their('1', { requests: ONE }), our(1_400_000), CENTS, { rounding: -400_000n }],
  ['half a cent is the most', their('1', { requests: ONE }), our(1_500_004), CENTS, { price: -500_004n }],
  [
    'a finer file proves that it is no rounding',
    their('1', { requests: ONE }),
    our(1_400_000),
    FINE,
    { price: -400_000n },
  ],
  [
    'two rows are rounded twice',
    their('2', { rows: 2, rowsByAmount: 2, requests: 2n * ONE }),
    our(2_900_000, { messages: 2 }),
    CENTS,
    { rounding: -900_000n },
  ],
  [
    'another number of requests',
    their('2', { requests: 2n * ONE }),
    our(1_000_000),
    CENTS,
    { unexplained: 1_000_000n },
  ],
  [
    'another number, however small the difference',
    their('1', { requests: 2n * ONE }),
    our(1_000_001),
    CENTS,
    { unexplained: -1n },
  ],
  ['nothing is counted', their('2'), our(1_000_000), CENTS, { unexplained: 1_000_000n }],
  [
    'premium requests are multiplied by the model',
    their('4', { requests: 10n * ONE, isCount: false, rowsByAmount: 0 }),
    our(4_000_000),
    CENTS,
    {},
  ],
  [
    'so another number says nothing',
    their('40', { requests: 10n * ONE, isCount: false, rowsByAmount: 0 }),
    our(4_000_000),
    CENTS,
    { unexplained: 36_000_000n },
  ],
  [
    'equal tokens',
    their('3', { tokens: tokens(10, 5) }),
    our(2_000_000, { tokens: ours(10, 5) }),
    FINE,
    { price: 1_000_000n },
  ],
  [
    'input with what was cached',
    their('3', { tokens: tokens(30, 5, 20) }),
    our(2_000_000, { tokens: ours(10, 5, 20) }),
    FINE,
    { price: 1_000_000n },
  ],
  [
    'other tokens',
    their('3', { tokens: tokens(11, 5) }),
    our(2_000_000, { tokens: ours(10, 5) }),
    FINE,
    { unexplained: 1_000_000n },
  ],
  [
    'equal tokens, no price here',
    their('3', { tokens: tokens(10, 5) }),
    our(0, { unpriced: 1, tokens: ours(10, 5) }),
    FINE,
    { price: 3_000_000n },
  ],
  [
    'dearer credits',
    their('60', { credits: exact('50'), surcharge: exact('10'), rowsByAmount: 0 }),
    our(50_000_000),
    FINE,
    { price: 10_000_000n },
  ],
  [
    'dearer credits, and more of them',
    their('63', { credits: exact('52.5'), surcharge: exact('10.5'), rowsByAmount: 0 }),
    our(50_000_000),
    FINE,
    { price: 10_500_000n, unexplained: 2_500_000n },
  ],
  [
    'their own rounding is known',
    their('1', { gap: exact('-0.3'), requests: ONE, rowsByAmount: 0 }),
    our(1_300_000),
    CENTS,
    { rounding: -300_000n },
  ],
  [
    'an amount that is not quantity times rate',
    their('2', { gap: exact('0.7'), requests: ONE, rowsByAmount: 0 }),
    our(1_300_000),
    CENTS,
    { price: 700_000n },
  ],
  [
    'a micro-credit of ours',
    their('0.0000075', { tokens: tokens(3, 0) }),
    our(6, { messages: 3, tokens: ours(3, 0) }),
    FINE,
    { rounding: 2n },
  ],
]

for (const [name, theirs, ourGroup, resolution, expected] of CASES) {
  test(`${name}: ${Object.keys(expected).join(' and ') || 'no difference'}`, () => {
    const { difference, split } = differenceOf(theirs, ourGroup, resolution)
    const none = { missingHere: 0n, missingThere: 0n, price: 0n, rounding: 0n, unexplained: 0n }
    assert.deepEqual(split, { ...none, ...expected })
    assert.equal(
      PARTS.reduce((sum, part) => sum + split[part], 0n),
      difference,
    )
  })
}
