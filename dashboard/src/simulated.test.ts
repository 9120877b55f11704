import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Simulation } from 'copilot-credits-client'
import { changeName, changesBy, DIMENSIONS } from './simulated.ts'

const sums = (messages: number, before: number, after: number) => ({
  messages,
  credits_before: before,
  credits_after: after,
  difference: Math.round((after - before) * 1e6) / 1e6,
  costlier: 0,
  cheaper: 0,
})

const simulation: Simulation = {
  hash: 'h',
  organization: 'acme',
  rate_card: { version: 'v', hash: 'h' },
  from: '2024-05-01T00:00:00.000Z',
  to: '2024-06-01T00:00:00.000Z',
  ...sums(4, 10.1, 12.3),
  charged_otherwise: 4,
  by_organization: {
    groups: [
      {
        organization: 'acme',
        from: '2024-05-01T00:00:00.000Z',
        to: '2024-06-01T00:00:00.000Z',
        ...sums(4, 10.1, 12.3),
      },
    ],
  },
  by_report: {
    groups: [
      { report_id: 7, report_name: 'Lease', ...sums(1, 5, 7) },
      { report_id: 8, ...sums(1, 1, 1) },
      { ...sums(1, 4, 4) },
    ],
    others: { ...sums(1, 0.1, 0.3), unpriced_after: 1 },
  },
  by_member: {
    groups: [
      { organization: 'acme', user_id: 'ada', ...sums(3, 10, 12) },
      { organization: 'acme', ...sums(1, 0.1, 0.3) },
    ],
  },
  by_team: { groups: [{ organization: 'acme', ...sums(4, 10.1, 12.3) }] },
  by_model: { groups: [{ model: 'm', ...sums(2, 5, 5) }, { ...sums(2, 5.1, 7.3) }] },
  by_day: { groups: [{ date: '2024-05-02', start: '2024-05-02T00:00:00.000Z', ...sums(4, 10.1, 12.3) }] },
  largest_changes: [],
  unpriced: [],
}

test('groups have the names of what they group, and with the others they add up to the whole', () => {
  const names = DIMENSIONS.map(({ id }) => changesBy(simulation, id).map(({ name }) => name))
  assert.deepEqual(names, [
    ['Lease', '8', 'No report', 'All others'],
    ['ada', 'No member'],
    ['No team'],
    ['m', 'No model'],
    ['2024-05-02'],
  ])
  for (const { id } of DIMENSIONS) {
    const changes = changesBy(simulation, id)
    const sum = (of: 'messages' | 'before' | 'after' | 'difference') => changes.reduce((all, each) => all + each[of], 0)
    assert.deepEqual(
      [sum('messages'), sum('before'), sum('after'), sum('difference')],
      [4, 10_100_000, 12_300_000, 2_200_000],
    )
  }
  assert.equal(changesBy(simulation, 'report').at(-1)?.unpriced, 1)
})

test('a change has its sign and its percentage, if there is one', () => {
  assert.equal(changeName(10_000_000, 12_500_000), '+2.50, 25.0% more')
  assert.equal(changeName(10_000_000, 9_000_000), '-1.00, 10.0% less')
  assert.equal(changeName(10_000_000, 10_000_000), '0.00, no change')
  assert.equal(changeName(0, 5_000_000), '+5.00')
})
