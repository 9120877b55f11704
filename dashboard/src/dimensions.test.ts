import assert from 'node:assert/strict'
import { test } from 'node:test'
import { askFor, type Filters, isKept, type Values } from './dimensions.ts'

const NONE: Filters = {
  report: undefined,
  member: undefined,
  team: undefined,
  model: undefined,
  feature: undefined,
  outcome: undefined,
  anyReport: false,
  minCredits: undefined,
}
const MESSAGE: Values = {
  report: 'Lease',
  member: 'ada',
  team: undefined,
  model: 'gpt-5.4',
  feature: undefined,
  outcome: 'succeeded',
}

test('asks the service for what it can filter by, and splits by the rest', () => {
  assert.deepEqual(askFor(NONE), { query: {}, splits: [] })
  assert.deepEqual(
    askFor({ ...NONE, member: 'ada', team: 'legal', model: 'gpt-5.4', feature: 'chat', outcome: 'failed' }),
    {
      query: { user_id: 'ada', team_id: 'legal', model: 'gpt-5.4', feature: 'chat', outcome: 'failed' },
      splits: [],
    },
  )
  assert.deepEqual(askFor({ ...NONE, member: '', team: '', model: '', feature: '' }), {
    query: {},
    splits: ['member', 'team', 'model', 'feature'],
  })
  for (const [typed, asked] of [
    ['.5', '0.5'],
    ['5.', '5'],
    ['0.000001', '0.000001'],
  ] as const) {
    assert.deepEqual(askFor({ ...NONE, minCredits: typed }).query, { min_credits: asked })
  }
  assert.deepEqual(askFor({ ...NONE, report: 'Lease' }).splits, ['report'])
  assert.deepEqual(askFor({ ...NONE, anyReport: true }).splits, ['report'])
})

test('keeps what has every value that is filtered by, where an empty one stands for none', () => {
  for (const [filters, kept] of [
    [{}, true],
    [{ report: 'Lease', member: 'ada', outcome: 'succeeded' }, true],
    [{ report: 'Lease', member: 'ben' }, false],
    [{ report: '' }, false],
    [{ anyReport: true }, true],
    [{ team: '' }, true],
    [{ team: 'legal' }, false],
    [{ outcome: 'failed' }, false],
  ] as const) {
    assert.equal(isKept(MESSAGE, { ...NONE, ...filters }), kept, JSON.stringify(filters))
  }
  assert.equal(isKept({ ...MESSAGE, report: undefined }, { ...NONE, anyReport: true }), false)
})

test('leaves a dimension that the parts are not split by to the service', () => {
  const filters = { ...NONE, report: 'Lease', member: 'ben' }
  assert.equal(isKept(MESSAGE, filters, ['report']), true)
  assert.equal(isKept(MESSAGE, { ...filters, report: 'Rent' }, ['report']), false)
})

test('keeps what the service counts under (other), which has names of its own', () => {
  assert.equal(isKept(MESSAGE, { ...NONE, model: '(other)' }), true)
  assert.equal(isKept(MESSAGE, { ...NONE, member: '(other)' }), false)
})
