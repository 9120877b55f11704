import assert from 'node:assert/strict'
import { test } from 'node:test'
import { InvalidRateCard, parseRateCard, standardRateCard } from './rate-card.ts'
import standard from './rate-cards/standard-2024.json' with { type: 'json' }

test('the standard rate card has the published prices', () => {
  assert.equal(standardRateCard.version, 'standard-2024')
  assert.deepEqual(standardRateCard, {
    version: 'standard-2024',
    base: 1_000_000,
    codePoint: 50_000,
    words: [
      { from: 1, credits: 100_000 },
      { from: 4, credits: 200_000 },
      { from: 8, credits: 300_000 },
    ],
    thirdVowel: 300_000,
    lengthPenalty: { above: 100, credits: 5_000_000 },
    uniqueWords: -2_000_000,
    minimum: 1_000_000,
    palindromeFactor: 2,
  })
})

test('an invalid rate card is rejected and the error names the field', () => {
  const wrong: readonly (readonly [string, unknown])[] = [
    ['version', { version: '' }],
    ['version', { version: 7 }],
    ['base', { base: -1 }],
    ['base', { base: '1' }],
    ['code_point', { code_point: 0.0000001 }],
    ['code_point', { code_point: Number.NaN }],
    ['words', { words: [] }],
    ['words[0].from', { words: [{ from: 2, credits: 1 }] }],
    [
      'words[1].from',
      {
        words: [
          { from: 1, credits: 1 },
          { from: 1, credits: 1 },
        ],
      },
    ],
    [
      'words[1].from',
      {
        words: [
          { from: 1, credits: 1 },
          { from: 33, credits: 1 },
        ],
      },
    ],
    ['words[0].credits', { words: [{ from: 1 }] }],
    ['words[0].to', { words: [{ from: 1, credits: 1, to: 3 }] }],
    ['length_penalty', { length_penalty: null }],
    ['length_penalty.above', { length_penalty: { above: 1.5, credits: 5 } }],
    ['unique_words', { unique_words: 2 }],
    ['palindrome_factor', { palindrome_factor: 0 }],
    ['discount', { discount: 1 }],
  ]
  for (const [field, change] of wrong) {
    assert.throws(
      () => parseRateCard({ ...standard, ...(change as object) }),
      (error) => error instanceof InvalidRateCard && error.field === field,
      field,
    )
  }
  assert.throws(() => parseRateCard([]), InvalidRateCard)
})
