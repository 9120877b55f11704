import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { isRejection, parseIncoming } from '#intake/incoming-message.ts'
import type { MessageEntry } from '#intake/received-calls.ts'
import { CANARY, entry, type LitellmEntry } from '../../test/litellm-entries.ts'
import { type EntrySettings, verdictOn } from './calls.ts'

const SETTINGS: EntrySettings = {
  members: ['end_user', 'metadata.user_api_key_user_id'],
  teams: ['metadata.user_api_key_team_id'],
}

const callOn = (value: LitellmEntry, settings = SETTINGS): MessageEntry => {
  const verdict = verdictOn(value, settings)
  assert.equal(verdict.is, 'call', JSON.stringify(verdict))
  return verdict.is === 'call' ? verdict.entry : assert.fail()
}

const rejectionOn = (value: unknown): string => {
  const verdict = verdictOn(value, SETTINGS)
  return verdict.is === 'rejected' ? `${verdict.field} ${verdict.reason}`.trim() : assert.fail(JSON.stringify(verdict))
}

const reasonOn = (value: unknown): string => {
  const verdict = verdictOn(value, SETTINGS)
  return verdict.is === 'ignored' ? verdict.reason : assert.fail(JSON.stringify(verdict))
}

const withUsage = (usage: unknown, root: LitellmEntry = {}): LitellmEntry =>
  entry({ prompt_tokens: 0, completion_tokens: 0, total_tokens: 0, ...root }, { usage_object: usage })

test('an entry is the message that it logs, and nothing else', () => {
  assert.deepEqual(callOn(entry({ id: 'chatcmpl-1' })), {
    id: 'litellm:chatcmpl-1',
    timestamp: '2025-12-17T19:34:30.079Z',
    user_id: 'ada',
    team_id: 'research',
    model: 'gpt-5.4',
    usage: {
      input_tokens: 1000,
      cache_read_tokens: 1000,
      cache_write_tokens: 0,
      cache_write_1h_tokens: 0,
      output_tokens: 500,
      reasoning_tokens: 200,
    },
    quantities: { provider_cost_nano_usd: 225_000 },
  })
})

describe('the id', () => {
  test('is that of the entry, to which LiteLLM adds the time of a cache hit, so that each hit is a message of its own', () => {
    const hit = callOn(entry({ id: 'chatcmpl-1_cache_hit1766000070.1', cache_hit: true, response_cost: 0 }))
    assert.equal(hit.id, 'litellm:chatcmpl-1_cache_hit1766000070.1')
    assert.deepEqual(hit.attributes, { cache_hit: true })
    assert.deepEqual(hit.quantities, { provider_cost_nano_usd: 0 })
  })

  test('is not that of the request, which its attempts share and a client may choose', () => {
    const first = callOn(entry({ id: 'chatcmpl-1', litellm_call_id: 'chosen' }))
    const second = callOn(entry({ id: 'chatcmpl-2', litellm_call_id: 'chosen' }))
    assert.notEqual(first.id, second.id)
  })

  test("is that of the request if the provider gave none, which LiteLLM writes as Python's None", () => {
    for (const id of ['None', '', null, undefined])
      assert.equal(callOn(entry({ id, litellm_call_id: 'call-7' })).id, 'litellm:call-7')
    assert.match(rejectionOn(entry({ id: 'None', litellm_call_id: null })), /^id must be a text/)
  })

  test('is a hash if it is longer than an id may be', () => {
    const id = `resp_${'bGl0ZWxsbTpjdXN0b21fbGxtX3Byb3ZpZGVyOm9wZW5haTs'.repeat(5)}`
    const call = callOn(entry({ id }))
    assert.match(call.id, /^litellm:sha256:[0-9a-f]{64}$/)
    assert.equal(callOn(entry({ id })).id, call.id)
    assert.equal(isRejection(parseIncoming(call, LIMITS, Date.now())), false)
  })
})

const LIMITS = { textBytesMax: 1024, aheadMaxMs: 300_000 }

describe('the instant', () => {
  const ENDS = {
    '1766000070.079': '2025-12-17T19:34:30.079Z',
    '1766000070.079999': '2025-12-17T19:34:30.079Z',
    '1766000070.57': '2025-12-17T19:34:30.570Z',
    '1766000070.0': '2025-12-17T19:34:30.000Z',
    '1766000070': '2025-12-17T19:34:30.000Z',
    '1766000070.001': '2025-12-17T19:34:30.001Z',
  }
  for (const [written, timestamp] of Object.entries(ENDS)) {
    test(`${written} is ${timestamp}`, () => {
      assert.equal(callOn(entry({ endTime: JSON.parse(written) })).timestamp, timestamp)
    })
  }

  test('is the end to the millisecond, without the noise of a float', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1_000_000_000_000, max: 4_000_000_000_000 }), (ms) => {
        const seconds = JSON.parse(`${Math.floor(ms / 1000)}.${String(ms % 1000).padStart(3, '0')}`)
        assert.equal(callOn(entry({ endTime: seconds })).timestamp, new Date(ms).toISOString())
      }),
    )
  })

  test('must be a number, which the old format of LiteLLM does not have', () => {
    for (const endTime of [undefined, null, 0, -1, 1e300, Number.NaN, '2024-05-01 12:00:00'])
      assert.match(rejectionOn(entry({ endTime })), /^endTime must be a number of seconds.*generic_api_use_v1/)
  })
})

describe('who', () => {
  test('is the end user, or else the user of the key', () => {
    assert.equal(callOn(entry({ end_user: '' })).user_id, 'proxy-user')
    assert.equal(callOn(entry({ end_user: null }, { user_api_key_user_id: null })).user_id, undefined)
    assert.equal(callOn(entry({ end_user: 42 })).user_id, '42')
  })

  test('is what the settings say', () => {
    const settings = { members: ['metadata.user_api_key_alias'], teams: ['model_group'] }
    const { user_id, team_id } = callOn(entry(), settings)
    assert.deepEqual([user_id, team_id], ['web', 'house-model'])
  })

  test('is not read out of an object', () => {
    assert.equal(callOn(entry({ end_user: { prompt: CANARY } })).user_id, 'proxy-user')
    assert.equal(callOn(entry(), { members: ['metadata'], teams: ['end_user.length'] }).user_id, undefined)
  })
})

describe('tokens', () => {
  const KINDS = [
    'input_tokens',
    'cache_read_tokens',
    'cache_write_tokens',
    'output_tokens',
    'reasoning_tokens',
  ] as const
  const kindsOf = (value: LitellmEntry) => KINDS.map((kind) => callOn(value).usage?.[kind])

  test("of Anthropic's models: the prompt includes what was read from the cache and written to it", () => {
    const usage = {
      prompt_tokens: 7396,
      completion_tokens: 4,
      total_tokens: 7400,
      prompt_tokens_details: {
        cached_tokens: 7000,
        cache_creation_tokens: 300,
        cache_creation_token_details: { ephemeral_5m_input_tokens: 200, ephemeral_1h_input_tokens: 100 },
      },
      cache_creation_input_tokens: 300,
      cache_read_input_tokens: 7000,
    }
    assert.deepEqual(kindsOf(withUsage(usage)), [96, 7000, 300, 4, 0])
    assert.equal(callOn(withUsage(usage)).usage?.['cache_write_1h_tokens'], 100)
  })

  test('of an old release, which has the cached ones beside the prompt only', () => {
    const usage = {
      prompt_tokens: 350,
      completion_tokens: 4,
      total_tokens: 354,
      prompt_tokens_details: { cached_tokens: 0 },
      cache_creation_input_tokens: 300,
      cache_read_input_tokens: 20,
    }
    assert.deepEqual(kindsOf(withUsage(usage)), [30, 20, 300, 4, 0])
  })

  test('a prompt smaller than the cached tokens does not include them', () => {
    const usage = { prompt_tokens: 10, completion_tokens: 4, total_tokens: 1014, cache_read_input_tokens: 1000 }
    assert.deepEqual(kindsOf(withUsage(usage)), [10, 1000, 0, 4, 0])
  })

  test('of Grok: the reasoning comes on top of the completion if the total says so', () => {
    const usage = {
      prompt_tokens: 32,
      completion_tokens: 9,
      total_tokens: 135,
      completion_tokens_details: { reasoning_tokens: 94 },
    }
    assert.deepEqual(kindsOf(withUsage(usage)), [32, 0, 0, 103, 94])
  })

  test('an estimate of the reasoning above the whole output is left out', () => {
    const usage = {
      prompt_tokens: 32,
      completion_tokens: 90,
      total_tokens: 122,
      completion_tokens_details: { reasoning_tokens: 94 },
    }
    assert.deepEqual(kindsOf(withUsage(usage)), [32, 0, 0, 90, 0])
  })

  test('without a usage object, those of the root', () => {
    const root = { prompt_tokens: 10, completion_tokens: 20, total_tokens: 30 }
    for (const usage of [null, undefined, {}, { type: 'duration', seconds: 3 }])
      assert.deepEqual(kindsOf(withUsage(usage, root)), [10, 0, 0, 20, 0])
  })

  test('that are all 0 are not known, and the message has none', () => {
    const image = callOn(
      withUsage({ prompt_tokens: 0, completion_tokens: 0, total_tokens: 0 }, { response_cost: 0.04 }),
    )
    assert.equal(image.usage, undefined)
    assert.deepEqual(image.quantities, { provider_cost_nano_usd: 40_000_000 })
  })

  const WRONG: Record<string, LitellmEntry> = {
    'metadata.usage_object.total_tokens must be the sum': { prompt_tokens: 1, completion_tokens: 1, total_tokens: 3 },
    'metadata.usage_object.prompt_tokens must be a whole number': { prompt_tokens: 1.5, completion_tokens: 1 },
    'metadata.usage_object.completion_tokens must be a whole number': { prompt_tokens: 1, completion_tokens: -1 },
    'metadata.usage_object.cache_read_input_tokens must equal metadata.usage_object.prompt_tokens_details.cached_tokens':
      {
        prompt_tokens: 9,
        completion_tokens: 1,
        prompt_tokens_details: { cached_tokens: 4 },
        cache_read_input_tokens: 5,
      },
  }
  for (const [reason, usage] of Object.entries(WRONG)) {
    test(`${reason} …`, () => {
      const value = withUsage(usage)
      assert.ok(rejectionOn(value).startsWith(reason), rejectionOn(value))
      const verdict = verdictOn(value, SETTINGS)
      assert.equal(verdict.is === 'rejected' && verdict.id, `litellm:${value['id']}`)
    })
  }
})

test('a name that is too long rejects the call at once, and is not kept until the request ends', () => {
  const long = 'a'.repeat(201)
  assert.equal(rejectionOn(entry({ end_user: long })), 'end_user must be at most 200 characters')
  assert.equal(rejectionOn(entry({ model: long })), 'model must be at most 200 characters')
  assert.equal(callOn(entry({ end_user: '😀'.repeat(200) })).user_id, '😀'.repeat(200))
})

describe('the cost', () => {
  const costOf = (changes: LitellmEntry) => callOn(entry(changes)).quantities?.['provider_cost_nano_usd']

  test('is rounded, and never a reason to reject', () => {
    assert.equal(costOf({ response_cost: 0.08689859999999999 }), 86_898_600)
    for (const response_cost of [-1, 1e300, '0.1', null, {}, undefined])
      assert.equal(costOf({ response_cost }), undefined)
  })

  test('of 0 counts only if LiteLLM knows it: a card may charge by the cost', () => {
    assert.equal(costOf({ response_cost: 0, hidden_params: { response_cost: null } }), undefined)
    assert.equal(costOf({ response_cost: 0, hidden_params: { response_cost: 0 } }), 0)
    assert.equal(costOf({ response_cost: 0, hidden_params: { response_cost: null }, cache_hit: true }), 0)
  })
})

describe('what is no call', () => {
  test('null, which LiteLLM sends for what it could not log', () => {
    assert.equal(reasonOn(null), 'nothing-logged')
  })

  test('a failed call that used nothing', () => {
    const failed = withUsage(
      { prompt_tokens: 0, completion_tokens: 0, total_tokens: 0 },
      { status: 'failure', response_cost: 0 },
    )
    assert.equal(reasonOn(failed), 'failed-without-usage')
    assert.equal(callOn(entry({ status: 'failure' })).outcome, 'failed')
  })

  test('a call of a tool, and what names no model and used nothing', () => {
    assert.equal(reasonOn(entry({ call_type: 'call_mcp_tool' })), 'tool')
    assert.equal(
      reasonOn(withUsage(null, { model: '', model_group: '', response_cost: 0, hidden_params: {} })),
      'no-call',
    )
  })

  test('anything but an object', () => {
    for (const value of [1, 'text', [], true]) assert.equal(rejectionOn(value), 'must be an object')
  })
})

test('whatever an entry is, there is a verdict, and no content in it', () => {
  const field = fc.constantFrom(
    'metadata',
    'model',
    'endTime',
    'status',
    'prompt_tokens',
    'total_tokens',
    'hidden_params',
    'id',
  )
  fc.assert(
    fc.property(fc.dictionary(field, fc.anything({ withNullPrototype: true })), fc.anything(), (changes, usage) => {
      const verdict = verdictOn(entry(changes, { usage_object: usage }), SETTINGS)
      assert.ok(!JSON.stringify(verdict).includes(CANARY))
    }),
    { numRuns: 2000 },
  )
})
