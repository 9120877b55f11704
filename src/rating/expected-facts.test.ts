import assert from 'node:assert/strict'
import { test } from 'node:test'
import { expectedFacts } from './expected-facts.ts'
import { parseCard } from './parse-card.ts'
import standard from './rate-cards/standard-2024.json' with { type: 'json' }

const expectedOf = (cases: readonly object[], more: object = {}) =>
  expectedFacts(parseCard({ version: 'v', cases: cases.map((each, at) => ({ name: `${at}`, ...each })), ...more }))

test('the standard card expects a text or a report', () => {
  assert.deepEqual(expectedFacts(parseCard(standard)), { text: true, report_id: true })
})

test('a card that reads nothing expects nothing, and an outcome need not be sent', () => {
  assert.deepEqual(expectedOf([{ when: { outcome: 'failed' }, lines: [{ rule: 'flat', rate: 1 }] }]), {})
})

test('a price by model expects a model, and a derived count its kinds', () => {
  const lines = [
    { rule: 'prompt', of: 'prompt_tokens', price: 'prompt' },
    { rule: 'reasoning', of: 'reasoning_tokens', rate: 1 },
  ]
  assert.deepEqual(expectedOf([{ lines }]), {
    model: true,
    usage: ['input_tokens', 'cache_read_tokens', 'cache_write_tokens', 'reasoning_tokens'],
  })
  assert.deepEqual(expectedOf([{ when: { model: '*' }, lines: [] }]), { model: true })
})

test('names that senders choose are quantities if they are counted or compared with numbers, else attributes', () => {
  const lines = [{ rule: 'pages', of: 'pages', rate: 1, when: { tier: 'basic', pages: '*' } }]
  const multiply = [{ rule: 'late', by: 2, when: { hours: { above: 3 } } }]
  const when = { plan: ['pro', 'team'], seats: [1, 2], seat: 1, licensed: true }
  const prices = { m: [{ when: { region: 'eu', cache_write_1h_tokens: { above: 0 } } }] }
  assert.deepEqual(expectedOf([{ when, lines, multiply }], { prices }), {
    usage: ['cache_write_1h_tokens'],
    quantities: ['hours', 'pages', 'seat', 'seats'],
    attributes: ['licensed', 'plan', 'region', 'tier'],
  })
})
