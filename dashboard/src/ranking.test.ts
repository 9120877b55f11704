import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ranksOf, ranksOfRules, sumOfRanks } from './ranking.ts'
import type { Part } from './usage.ts'

const partOf = (report: string | undefined, reportId: string, micros: number): Part => ({
  ...{ report, reportId, member: 'ada', team: undefined, model: undefined, feature: undefined, outcome: 'succeeded' },
  ...{ messages: 2, unpriced: 1, micros },
})

test('ranks by credits, puts reports of one name together, and compares each with itself before', () => {
  const now = [partOf('Lease', '1', 5), partOf(undefined, '', 7), partOf('Lease', '2', 6), partOf('Rent', '3', 0)]
  assert.deepEqual(ranksOf('report', now, [partOf('Lease', '1', 3), partOf('Gone', '4', 9)]), [
    { value: 'Lease', messages: 4, unpriced: 2, micros: 11, before: 3 },
    { value: undefined, messages: 2, unpriced: 1, micros: 7, before: 0 },
    { value: 'Rent', messages: 2, unpriced: 1, micros: 0, before: 0 },
    { value: 'Gone', messages: 0, unpriced: 0, micros: 0, before: 9 },
  ])
})

test('adds up to everything, and to nothing before where that is not known', () => {
  const ranks = ranksOf('report', [partOf('Lease', '1', 5), partOf('Rent', '3', 2)], undefined)
  assert.deepEqual(sumOfRanks(ranks), { messages: 4, unpriced: 2, micros: 7, before: undefined })
})

test('adds up the rules of all cases by name, those that take credits off last', () => {
  const usageOf = (rules: readonly (readonly [string, number, number])[]) => ({
    ...{ version: 'v', messages: 3, credits: 0 },
    cases: [0, 1].map((at) => ({
      ...{ rate_card: 'flat', case: `case ${at}`, messages: 3, credits: 0 },
      rules: rules
        .filter((_, index) => index % 2 === at)
        .map(([rule, messages, credits]) => ({ rule, messages, credits })),
    })),
  })
  const now = usageOf([
    ['unique-words', 2, -4],
    ['base', 2, 2],
    ['base', 1, 1.5],
  ])
  assert.deepEqual(ranksOfRules(now, usageOf([['base', 9, 0.1]])), [
    { value: 'base', messages: 3, unpriced: 0, micros: 3_500_000, before: 100_000 },
    { value: 'unique-words', messages: 2, unpriced: 0, micros: -4_000_000, before: 0 },
  ])
})
