import assert from 'node:assert/strict'
import { test } from 'node:test'
import { needsOf, reasonsOf } from './unpriced.ts'
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

test('says what a card needs for every reason, each once', () => {
  const reasons = reasonsOf([
    ...['x', 'y', 'x'].map((model) => lineWith(`the model "${model}" has no price in the card tokens-1`, model)),
    lineWith('the model "y" has no price "output" in the card tokens-2', 'y'),
    lineWith('no case holds in the card tokens-1', 'z'),
    lineWith('no case holds in the card tokens-2'),
    lineWith('the message names no model, on which the price of "input" depends in the card tokens-1'),
    lineWith('no line of the case "chat" prices audio in the card tokens-1', 'x'),
    lineWith('no line of the case "chat" applies in the card tokens-1', 'x'),
    lineWith('no price'),
  ])
  assert.deepEqual(needsOf(reasons), {
    models: ['x', 'y'],
    others: [
      'a case for every message',
      'a case for messages that name no model',
      'a line for whatever a message brings',
      'a price for these messages',
    ],
  })
})
