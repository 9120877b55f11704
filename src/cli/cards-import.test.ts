/** `copilot-credits cards import`: what becomes of a list of prices, and what is said about the rest. */
import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { calcPrice, waitForUpdate } from '@pydantic/genai-prices'
import type { Card } from '#model/card.ts'
import { toDecimal } from '#model/credits.ts'
import type { Facts, TokenCounts } from '#model/facts.ts'
import { compileCard } from '#rating/compile-card.ts'
import { parseCard } from '#rating/parse-card.ts'
import { runCommand } from '../../test/run-command.ts'
import { addCardsImport } from './cards-import.ts'

let folder: string
before(() => {
  folder = mkdtempSync(join(tmpdir(), 'copilot-credits-cards-import-'))
})
after(() => rmSync(folder, { recursive: true }))

const run = async (...args: readonly string[]) => {
  const { err, ...outcome } = await runCommand(addCardsImport, ['import', ...args])
  return { ...outcome, err: err.split('\n').filter((line) => line !== '') }
}

let files = 0
/** The entries as JSON text, because their numbers are compared as they are written. */
const fileOf = (json: string): string => {
  const path = join(folder, `${files++}.json`)
  writeFileSync(path, json)
  return path
}

const TERMS = ['--name', 'imported', '--usd-per-credit', '0.01']

const imported = async (json: string, ...args: readonly string[]) => {
  const { out, err, failure } = await run('--litellm', fileOf(json), ...TERMS, ...args)
  const card = parseCard(JSON.parse(out))
  return { card, costOf: costIn(card), err, failure }
}

const NO_TOKENS: TokenCounts = { input: 0, cacheRead: 0, cacheWrite: 0, output: 0, reasoning: 0, cacheWrite1h: 0 }

type Brought = Omit<Facts, 'tokens'> & Partial<TokenCounts>

const costIn = (card: Card) => {
  const compiled = compileCard(card)
  return (model: string, { quantities = {}, attributes = {}, ...counts }: Brought = {}): string => {
    const tokens = Object.keys(counts).length > 0 && { tokens: { ...NO_TOKENS, ...counts } }
    const pricing = compiled.price({ model, quantities, attributes, ...tokens })
    return pricing.status === 'priced' ? toDecimal(pricing.credits) : 'unpriced'
  }
}

/** In the form of LiteLLM's file, with made-up models. */
const LONG = `"long-1": {
  "litellm_provider": "acme", "mode": "chat", "max_tokens": 128000, "supports_vision": true,
  "input_cost_per_token": 2.5e-06, "input_cost_per_token_above_272k_tokens": 5e-06,
  "input_cost_per_token_priority": 5e-06, "input_cost_per_token_above_272k_tokens_priority": 1e-05,
  "input_cost_per_token_flex": 1.25e-06, "input_cost_per_token_batches": 0.00000125,
  "output_cost_per_token": 1.5e-05, "output_cost_per_token_above_272k_tokens": 2.25e-05,
  "output_cost_per_token_priority": 3e-05, "output_cost_per_token_flex": 7.5e-06, "output_cost_per_token_batches": 7.5e-06,
  "cache_read_input_token_cost": 2.5e-07, "cache_read_input_token_cost_priority": 5e-07,
  "output_cost_per_reasoning_token": 1.5e-05,
  "search_context_cost_per_query": {
    "search_context_size_low": 0.01, "search_context_size_medium": 0.01, "search_context_size_high": 0.01
  }
}`

const CACHED = `"cached-1": {
  "input_cost_per_token": 3e-06, "output_cost_per_token": 1.5e-05, "cache_read_input_token_cost": 3e-07,
  "cache_creation_input_token_cost": 3.75e-06, "cache_creation_input_token_cost_above_1hr": 6e-06,
  "cache_creation_input_token_cost_above_200k_tokens": 7.5e-06, "input_cost_per_token_above_200k_tokens": 6e-06,
  "cache_creation_input_token_cost_above_1hr_above_200k_tokens": 1.2e-05
}`

describe('from the file of LiteLLM', () => {
  test('every tier and size of prompt becomes a row, and whoever names no tier pays the standard price', async () => {
    const { card, err, failure } = await imported(`{"sample_spec": {"input_cost_per_token": 9}, ${LONG}}`)
    assert.deepEqual([err, failure], [['1 model in the card, 0 prices left out.'], ''])
    const above = { prompt_tokens: { above: 272_000 } }
    const web_searches = 1000
    assert.deepEqual(card.prices, {
      'long-1': [
        { when: { service_tier: 'priority', ...above }, input: 1000 },
        { when: { service_tier: 'priority' }, input: 500, output: 3000, cache_read: 50 },
        { when: { service_tier: 'flex', ...above } },
        { when: { service_tier: 'flex' }, input: 125, output: 750 },
        { when: { service_tier: 'batch', ...above } },
        { when: { service_tier: 'batch' }, input: 125, output: 750 },
        { when: { service_tier: '*' } },
        { when: above, input: 500, output: 2250, cache_read: 25, web_searches },
        { input: 250, output: 1500, cache_read: 25, web_searches },
      ],
    })
    assert.deepEqual(
      card.cases.map(({ name, lines }) => [name, lines.map(({ of, per }) => [of, per])]),
      [
        [
          'model',
          [
            ['input_tokens', 1_000_000],
            ['cache_read_tokens', 1_000_000],
            ['output_tokens', 1_000_000],
            ['web_searches', 1000],
          ],
        ],
      ],
    )
  })

  test('a message costs what the file says, on both sides of a threshold and in each tier', async () => {
    const { costOf } = await imported(`{${LONG}, ${CACHED}}`)
    const tier = (service_tier: string) => ({ attributes: { service_tier } })
    assert.equal(costOf('long-1', { input: 272_000 }), '68')
    assert.equal(costOf('long-1', { input: 272_001 }), '136.0005')
    assert.equal(costOf('long-1', { input: 1, cacheRead: 272_000 }), '6.8005')
    assert.equal(costOf('long-1', { input: 1000, output: 10, ...tier('batch') }), '0.1325')
    assert.equal(costOf('long-1', { input: 1000, ...tier('flex') }), '0.125')
    assert.equal(costOf('long-1', { input: 272_001, ...tier('priority') }), '272.001')
    assert.equal(costOf('long-1', { quantities: { web_searches: 3 } }), '3')
    // 1,000 written for five minutes at 375, and 500 of them for an hour at 600.
    assert.equal(costOf('cached-1', { cacheWrite: 1000, cacheWrite1h: 500 }), '0.4875')
    // An entry says only what changes above the threshold: reading the cache and output cost the same.
    assert.equal(costOf('cached-1', { input: 200_001, cacheRead: 1000, output: 1000 }), '121.5306')
    assert.equal(costOf('cached-1', { cacheWrite: 200_001, cacheWrite1h: 1 }), '150.0012')
  })

  test('what the file does not price is not free, nor charged like something else', async () => {
    const { costOf } = await imported(`{${LONG}, ${CACHED}}`)
    const tier = (service_tier: string) => ({ attributes: { service_tier } })
    assert.equal(costOf('long-1', { input: 1, ...tier('ultrafast') }), 'unpriced')
    assert.equal(costOf('cached-1', { input: 1, ...tier('batch') }), 'unpriced')
    assert.equal(costOf('long-1', { input: 1, cacheRead: 1, ...tier('batch') }), 'unpriced')
    assert.equal(costOf('long-1', { input: 272_001, ...tier('flex') }), 'unpriced')
    assert.equal(costOf('long-1', { cacheWrite: 1 }), 'unpriced')
    assert.equal(costOf('long-2', { input: 1 }), 'unpriced')
    const unstated = await imported('{"a": {"input_cost_per_token": 1e-06, "cache_creation_input_token_cost": 1e-06}}')
    assert.equal(unstated.costOf('a', { cacheWrite: 1000 }), '0.1')
    assert.equal(unstated.costOf('a', { cacheWrite: 1000, cacheWrite1h: 1 }), 'unpriced')
  })

  test('a price that is not exact in six decimals is left out, named, and not replaced by another', async () => {
    const entry = `"inexact": {
      "input_cost_per_token": 1.2345678e-06, "input_cost_per_token_above_128k_tokens": 0.00000000012345678,
      "input_cost_per_token_batches": 1.00000000000000000001e-06, "output_cost_per_token": 3e-06
    }`
    const { card, costOf, err, failure } = await imported(`{${entry}}`)
    const why = 'is not exact in six decimals of a credit for 1,000,000, or too large'
    assert.deepEqual(err, [
      `inexact: input_cost_per_token_batches ${why}`,
      `inexact: input_cost_per_token_above_128k_tokens ${why}`,
      '1 model in the card, 2 prices left out.',
    ])
    assert.match(failure, /left out/)
    assert.equal(card.prices?.['inexact']?.at(-1)?.['input'], 123.45678)
    assert.equal(costOf('inexact', { input: 1000 }), '0.123457')
    assert.equal(costOf('inexact', { input: 128_001 }), 'unpriced')
    assert.equal(costOf('inexact', { input: 1, attributes: { service_tier: 'batch' } }), 'unpriced')
  })

  test('a price per credit that divides none exactly leaves no card', async () => {
    const file = fileOf(`{${CACHED}}`)
    const { out, err, failure } = await run('--litellm', file, '--name', 'a', '--usd-per-credit', '0.07')
    assert.equal(out, '')
    assert.equal(err.length, 8)
    assert.match(failure, /none of the models/)
  })

  test('what no card can say is named, field by field', async () => {
    const { err, costOf } = await imported(`{"odd": {
      "input_cost_per_token": 1e-06, "output_cost_per_token": 4e-06, "output_cost_per_reasoning_token": 3e-06,
      "input_cost_per_character": 1e-06, "input_cost_per_token_cache_hit": 1e-07, "cache_read_input_token_cost": 2e-07,
      "input_cost_per_video_per_second": 0.001, "regional_processing_uplift_multiplier_eu": 1.1,
      "tiered_pricing": [{"range": [0, 1000], "input_cost_per_token": 1e-06}], "provider_specific_entry": {"fast": 6.0},
      "search_context_cost_per_query": {"search_context_size_low": 0.01, "search_context_size_high": 0.02},
      "input_cost_per_image": "0.01", "output_cost_per_image": null, "input_cost_per_request": -1
    }, "text": "x", "none": {"mode": "chat"}}`)
    assert.deepEqual(err, [
      'odd: input_cost_per_character is another way to charge what input_cost_per_token charges',
      'odd: cache_read_input_token_cost differs from input_cost_per_token_cache_hit, which is for the same',
      'odd: input_cost_per_video_per_second cannot be said by the card',
      'odd: regional_processing_uplift_multiplier_eu cannot be said by the card',
      'odd: tiered_pricing cannot be said by the card',
      'odd: provider_specific_entry cannot be said by the card',
      'odd: search_context_cost_per_query depends on the size of the search context',
      'odd: input_cost_per_image must be a number from 0',
      'odd: input_cost_per_request must be a number from 0',
      'text: entry must be an object',
      'none: entry has no price',
      'odd: output_cost_per_reasoning_token is lower than output_cost_per_token: a part of it cannot cost less',
      '1 model in the card, 12 prices left out.',
    ])
    assert.equal(costOf('odd', { output: 1000 }), '0.4')
    assert.equal(costOf('odd', { output: 1000, reasoning: 500 }), 'unpriced')
  })

  test('images, audio, searches and requests are quantities, and parts of tokens cost what they are dearer', async () => {
    const { costOf, err } = await imported(`{
      "drawing": {"output_cost_per_image": 0.04, "input_cost_per_pixel": 1.9e-08, "output_cost_per_pixel": 0.0},
      "talking": {"input_cost_per_token": 2.5e-06, "input_cost_per_audio_token": 4e-05, "input_cost_per_second": 0.0001},
      "thinking": {"output_cost_per_token": 2e-06, "output_cost_per_reasoning_token": 6e-06, "input_cost_per_request": 0.005},
      "plain": {"output_cost_per_token": 2e-06},
      "free": {"input_cost_per_token": 0.0, "output_cost_per_token": 0}
    }`)
    assert.deepEqual(err, ['5 models in the card, 1 of which cost nothing, 0 prices left out.'])
    assert.equal(costOf('drawing', { quantities: { images: 2, input_pixels: 1_048_576 } }), '9.992294')
    assert.equal(costOf('talking', { input: 1000, quantities: { input_audio_tokens: 400 } }), '1.75')
    assert.equal(costOf('talking', { quantities: { input_seconds: 90 } }), '0.9')
    assert.equal(costOf('thinking', { output: 1000, reasoning: 600 }), '0.94')
    assert.equal(costOf('plain', { output: 1000, reasoning: 600 }), '0.2')
    assert.equal(costOf('plain', { output: 1000, quantities: { images: 1 } }), 'unpriced')
  })

  test('--models chooses, --markup adds a percentage, and a name that no model has is named', async () => {
    const { card, err, failure } = await imported(`{${LONG}, ${CACHED}}`, '--models', 'cach*,other', '--markup', '20')
    assert.deepEqual(Object.keys(card.prices ?? {}), ['cached-1'])
    assert.deepEqual(card.prices?.['cached-1']?.at(-1), {
      input: 360,
      cache_read: 36,
      cache_write: 450,
      output: 1800,
      cache_write_1h: 270,
    })
    assert.deepEqual(err, ['other: is no model of the list', '1 model in the card, 1 price left out.'])
    assert.match(failure, /left out/)
  })
})

describe('from the package genai-prices', () => {
  test('a message costs what the package itself calculates, with every model of three providers', async () => {
    const providers = (await waitForUpdate()) ?? []
    let compared = 0
    for (const id of ['openai', 'anthropic', 'google']) {
      const { out } = await run('--genai-prices', id, ...TERMS)
      const card = parseCard(JSON.parse(out))
      const costOf = costIn(card)
      const provider = providers.find((each) => each.id === id) ?? assert.fail(id)
      for (const model of Object.keys(card.prices ?? {})) {
        for (const size of [1000, 150_000, 199_999, 200_001, 271_999, 272_000, 272_001]) {
          const columns = card.prices?.[model]?.at(-1) ?? {}
          const counts = {
            input: size - ('cache_read' in columns ? 300 : 0) - ('cache_write' in columns ? 200 : 0),
            ...('cache_read' in columns && { cacheRead: 300 }),
            ...('cache_write' in columns && { cacheWrite: 200 }),
            ...('output' in columns && { output: 70 }),
          }
          const cost = costOf(model, counts)
          if (!('input' in columns)) continue
          const { cacheRead = 0, cacheWrite = 0, output = 0 } = counts
          const usage = {
            input_tokens: size,
            cache_read_tokens: cacheRead,
            cache_write_tokens: cacheWrite,
            output_tokens: output,
          }
          const price = calcPrice(usage, model, { provider })
          // The name can be that of another model, of which it is the beginning.
          if (price?.model.id !== model) continue
          compared++
          const difference = Math.abs(Number(cost) - price.total_price * 100)
          assert.ok(difference < 1e-5, `${id}/${model}, ${size}: ${cost} and ${price.total_price * 100}`)
        }
      }
    }
    assert.ok(compared > 700, `${compared}`)
  })

  test('names that are spelled out are aliases, and another provider does not replace a model', async () => {
    const { out, err, failure } = await run('--genai-prices', 'openai,github-copilot', ...TERMS, '--models', 'gpt-5.4')
    const { aliases, prices } = parseCard(JSON.parse(out))
    assert.equal(aliases?.['gpt-5.4-2026-03-05'], 'gpt-5.4')
    assert.deepEqual(Object.keys(prices ?? {}), ['gpt-5.4'])
    assert.equal(err[0], 'github-copilot/gpt-5.4: id is also a model of a provider before')
    assert.match(failure, /left out/)
  })
})

test('a card goes to --output, and contradicting or unusable arguments are one error', async () => {
  const [file, output] = [fileOf(`{${CACHED}}`), join(folder, 'card.json')]
  const written = await run('--litellm', file, ...TERMS, '--output', output)
  assert.deepEqual([written.out, written.failure], ['', ''])
  assert.equal(parseCard(JSON.parse(readFileSync(output, 'utf8'))).version, 'imported')
  const failureOf = async (...args: readonly string[]) => (await run(...args)).failure
  assert.match(await failureOf(...TERMS), /either --litellm or --genai-prices/)
  assert.match(await failureOf('--litellm', file, '--genai-prices', 'openai', ...TERMS), /either/)
  assert.match(await failureOf('--genai-prices', 'opanai', ...TERMS), /no such provider: opanai; there are anthropic, /)
  assert.match(await failureOf('--litellm', file, '--name', 'Å', '--usd-per-credit', '1'), /version must be/)
  assert.match(await failureOf('--litellm', file, '--name', 'a'), /--usd-per-credit/)
  for (const amount of ['0', '-1', 'x', '1e-2']) {
    assert.match(
      await failureOf('--litellm', file, '--name', 'a', '--usd-per-credit', amount),
      /decimal number of dollars/,
    )
  }
  assert.match(await failureOf('--litellm', file, ...TERMS, '--markup', '-5'), /percentage from 0/)
  assert.match(await failureOf('--litellm', fileOf('[]'), ...TERMS), /must be an object/)
  assert.match(await failureOf('--litellm', fileOf('{"a": 1, "a": 2}'), ...TERMS), /appears twice/)
  assert.match(await failureOf('--litellm', join(folder, 'missing.json'), ...TERMS), /missing\.json/)
})
