import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Facts } from '#model/facts.ts'
import { cardFor } from './card-choice.ts'
import { compileCard } from './compile-card.ts'
import { parseCard } from './parse-card.ts'

const HUGE = 2 ** 33 - 1

const card = (version: string, credits: Readonly<Record<string, number>>) =>
  compileCard(
    parseCard({
      version,
      cases: Object.entries(credits).map(([plan, rate]) => ({
        name: plan.replace('_', '-'),
        when: { plan },
        lines: rate === 0 ? [] : [{ rule: 'pages', of: 'pages', rate }],
      })),
    }),
  )

const of = (plan: string, pages = 1): Facts => ({ attributes: { plan }, quantities: { pages } })

test('a card for unpriced messages prices what the other does not, and nothing else', () => {
  const choice = {
    card: card('first', { basic: 2, free: 0, large: HUGE }),
    forUnpriced: card('late', { basic: 3, free: 3, large: 3, new: 3, large_new: HUGE }),
  }
  for (const [facts, version] of [
    [of('basic'), 'first'],
    [of('free'), 'first'],
    [of('new'), 'late'],
    [of('unknown'), 'first'],
    // Amounts that do not fit a charge are no price.
    [of('large', 1_000_000), 'late'],
    [of('large_new', 1_000_000), 'first'],
  ] as const) {
    assert.equal(cardFor(choice, facts).version, version, JSON.stringify(facts))
    assert.equal(cardFor({ card: choice.card }, facts), choice.card)
  }
})
