import assert from 'node:assert/strict'
import { test } from 'node:test'
import { causesOf } from './causes.ts'
import { lineOf, type Part } from './usage.ts'

const partOf = (member: string | undefined, micros: number, report?: string): Part => ({
  ...{ member, report, reportId: report, team: undefined, model: undefined, feature: undefined, outcome: 'succeeded' },
  ...{ messages: 1, unpriced: 0, micros },
})
const lineWith = (credits: number) =>
  lineOf({
    ...{ message_id: 7, timestamp: '2024-05-01T00:00:00Z', rate_card: 'tokens-1', user_id: 'grace' },
    credits_used: credits,
  })
const MEMBERS = {
  now: [partOf('ada', 50), partOf('grace', 90), partOf('grace', 20)],
  before: [partOf('ada', 60), partOf('grace', 30)],
}
const REPORTS = {
  now: [partOf('ada', 50, 'Lease'), partOf('grace', 110)],
  before: [partOf('ada', 60, 'Lease'), partOf('grace', 30)],
}

test('names what contributed most to an increase, one of each dimension, the largest first', () => {
  const { contributions } = causesOf(
    70,
    { member: MEMBERS, report: { ...REPORTS, now: [...REPORTS.now, partOf('x', 5)] } },
    undefined,
  )
  assert.deepEqual(contributions, [
    { dimension: 'report', value: undefined, micros: 85 },
    { dimension: 'member', value: 'grace', micros: 80 },
  ])
})

test('names what contributed most to a decrease', () => {
  const { contributions } = causesOf(-70, { member: { now: MEMBERS.before, before: MEMBERS.now } }, undefined)
  assert.deepEqual(contributions, [{ dimension: 'member', value: 'grace', micros: -80 }])
})

test('says nothing of a dimension with one value, of small contributions, and of messages without a member', () => {
  assert.deepEqual(
    causesOf(5, { member: { now: [partOf('ada', 9)], before: [partOf('ada', 4)] } }, undefined).contributions,
    [],
  )
  assert.deepEqual(causesOf(10_000, { member: MEMBERS }, undefined).contributions, [])
  const unknown = { now: [partOf(undefined, 90), partOf('ada', 2)], before: [partOf('ada', 1)] }
  assert.deepEqual(causesOf(91, { member: unknown }, undefined).contributions, [])
})

test('names a single message that is a tenth of an increase or more, but not more than all of it', () => {
  const causeOf = (change: number, credits: number) => causesOf(change * 1e6, {}, lineWith(credits)).message?.micros
  assert.equal(causeOf(100, 10), 10e6)
  assert.equal(causeOf(100, 9), undefined)
  assert.equal(causeOf(100, 101), undefined)
  assert.equal(causeOf(-100, 50), undefined)
})
