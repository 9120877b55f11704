import assert from 'node:assert/strict'
import { test } from 'node:test'
import { reasonsOf } from './unpriced.ts'
import { lineOf } from './usage.ts'

const lineWith = (unpriced: string | undefined, model?: string) =>
  lineOf({
    message_id: 1,
    timestamp: '2024-05-01T00:00:00Z',
    rate_card: 'tokens-1',
    ...(unpriced === undefined ? { credits_used: 1 } : { unpriced }),
    ...(model !== undefined && { model }),
  })

test('counts the reasons, the most frequent first, and names the models that lack a price', () => {
  const noModel = 'the model "x" has no price in the card tokens-1'
  assert.deepEqual(
    reasonsOf([
      lineWith('no case holds in the card tokens-1', 'gpt-5.4'),
      lineWith(noModel, 'x'),
      lineWith(undefined, 'x'),
      lineWith(noModel, 'x'),
    ]),
    [
      { text: noModel, messages: 2, model: 'x' },
      { text: 'no case holds in the card tokens-1', messages: 1, model: undefined },
    ],
  )
})
