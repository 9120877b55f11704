import assert from 'node:assert/strict'
import { test } from 'node:test'
import { inForceAt, isInForceFor, stretchesOf, stretchName, type Use } from './card-uses.ts'

const at = (day: string): number => Date.parse(`${day}T00:00:00Z`)
const USES: readonly Use[] = [
  { version: 'standard', by_default: true },
  { version: 'late', from: '2024-02-01T00:00:00Z', for: 'unpriced', until: '2024-03-01T00:00:00Z' },
  { version: 'one', from: '2024-05-01T00:00:00Z' },
  { version: 'two', from: '2024-06-01T00:00:00Z' },
]

test('a card is in force up to the next one for all messages', () => {
  for (const [day, version] of [
    ['1999-01-01', 'standard'],
    ['2024-02-10', 'standard'],
    ['2024-04-30', 'standard'],
    ['2024-05-01', 'one'],
    ['2024-06-01', 'two'],
  ] as const) {
    assert.equal(inForceAt(USES, at(day)), version, day)
  }
  assert.equal(inForceAt([{ version: 'later', from: '2024-05-01T00:00:00Z' }], at('2024-04-01')), undefined)
})

test('a card is in force for a range if no other card prices any of it', () => {
  const isSo = (version: string, from: string, to: string) => isInForceFor(USES, version, at(from), at(to))
  assert.equal(isSo('one', '2024-05-01', '2024-06-01'), true)
  assert.equal(isSo('one', '2024-04-30', '2024-06-01'), false)
  assert.equal(isSo('one', '2024-05-01', '2024-06-02'), false)
  assert.equal(isSo('two', '2024-06-01', '2030-01-01'), true)
  assert.equal(isSo('standard', '2020-01-01', '2024-05-01'), true)
  assert.equal(isSo('late', '2024-02-01', '2024-03-01'), false)
})

test('says since when, or from when up to when, a card is in force', () => {
  const names = (now: string) => stretchesOf(USES).map((stretch) => stretchName(stretch, at(now), 'UTC'))
  assert.deepEqual(names('2024-05-10'), [
    'Was in force up to 01-05-2024 00:00, by default',
    'Only for messages without another price, from 01-02-2024 00:00 up to 01-03-2024 00:00',
    'In force from 01-05-2024 00:00 up to 01-06-2024 00:00',
    'In force from 01-06-2024 00:00 on',
  ])
  assert.equal(names('2024-07-01').at(-1), 'In force since 01-06-2024 00:00')
  assert.deepEqual(
    stretchesOf(USES.slice(0, 1)).map((stretch) => stretchName(stretch, at('2024-05-10'), 'UTC')),
    ['In force since ever, by default'],
  )
})
