/** A rate card by tokens for the tests of OpenTelemetry. */
import assert from 'node:assert/strict'
import type { Running } from './harness.ts'

const perMillion = (rule: string, of: string, price: string) => ({ rule, of, per: 1_000_000, price })

export const CALL_CARD = {
  version: 'calls',
  prices: {
    'gpt-5.4': [{ input: 250, cache_read: 25, cache_write: 300, output: 1500 }],
    'claude-opus-4-5': [{ input: 500, cache_read: 50, cache_write: 625, output: 2500 }],
    'embedding-3': [{ input: 2, cache_read: 0, cache_write: 0, output: 0 }],
  },
  aliases: { 'gpt-5.4-2026-03-05': 'gpt-5.4' },
  cases: [
    {
      name: 'tokens',
      when: { model: '*' },
      lines: [
        perMillion('input', 'input_tokens', 'input'),
        perMillion('cache-read', 'cache_read_tokens', 'cache_read'),
        perMillion('cache-write', 'cache_write_tokens', 'cache_write'),
        perMillion('output', 'output_tokens', 'output'),
      ],
    },
  ],
}

export const putInForce = async ({ url }: Running, card: { readonly version: string }): Promise<void> => {
  const headers = { 'content-type': 'application/json' }
  const stored = await fetch(`${url}/v1/rate-cards`, { method: 'POST', headers, body: JSON.stringify(card) })
  assert.ok(stored.ok, await stored.text())
  const use = JSON.stringify({ version: card.version, from: '2024-01-01T00:00:00Z' })
  const inForce = await fetch(`${url}/v1/default-rate-card`, { method: 'PUT', headers, body: use })
  assert.ok(inForce.ok, await inForce.text())
}
