/** `GET /v1/intake`: what came by which door and with which key, and what became of it. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { type Client, createClient, type Intake } from '../client/src/index.ts'
import { type Running, startService } from './harness.ts'
import { CANARY, entry } from './litellm-entries.ts'

const CARD = {
  version: 'flat',
  cases: [{ name: 'text', when: { text: true }, lines: [{ rule: 'flat', rate: 1 }] }],
}

let service: Running
let operator: Client
const clients = new Map<string, Client>()

const clientWith = (key: string): Client => createClient({ baseUrl: service.url, key })

before(async () => {
  service = await startService({})
  const open = createClient({ baseUrl: service.url })
  operator = clientWith((await open.createKey({ name: 'operator', scopes: ['admin'] })).key)
  await operator.storeRateCard(CARD)
  for (const organization of ['acme', 'globex']) {
    await operator.createOrganization({ id: organization })
    await operator.useRateCard(organization, { version: 'flat', from: '2024-01-01T00:00:00Z' })
  }
  const keys = [
    ['acme', 'web', 'messages:write'],
    ['acme', 'gateway', 'messages:write'],
    ['acme', 'reader', 'usage:read'],
    ['globex', 'app', 'messages:write'],
  ] as const
  for (const [organization, name, scope] of keys) {
    const { key } = await operator.createKey({ name, scopes: [scope] }, { organization })
    clients.set(name, clientWith(key))
  }
})
after(async () => {
  await service[Symbol.asyncDispose]()
})

const as = (name: string): Client => clients.get(name) ?? assert.fail(name)
const message = (id: string, more: object = {}) => ({ id, timestamp: '2024-05-20T12:00:00Z', text: CANARY, ...more })

const briefly = ({ sources }: Intake) =>
  sources.map(({ organization, source, key, accepted, unpriced, duplicate, conflict, rejected }) => [
    organization,
    source,
    key?.name,
    [accepted, unpriced, duplicate, conflict, rejected],
  ])

test('nothing has come at first, and it says since when', async () => {
  const { since, ...rest } = await as('reader').intake()
  assert.deepEqual(rest, { sources: [], overlaps: [] })
  assert.ok(Date.parse(since) <= Date.now())
})

describe('once something has come', () => {
  before(async () => {
    await as('web').reportMessages([message('a'), message('b')])
    await as('web').reportMessages([
      message('a'),
      message('b', { text: `${CANARY} other` }),
      message('c', { user_id: 7 }),
    ])
    await as('gateway').reportMessages([message('d'), { id: 'e', timestamp: '2024-05-20T12:00:00Z', model: 'gpt' }])
    await operator.reportMessages([message('f')], { organization: 'acme' })
    await as('app').reportMessages([message('g')])
    const { key } = await operator.createKey({ name: 'litellm', scopes: ['messages:write'] }, { organization: 'acme' })
    await fetch(`${service.url}/v1/litellm`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${key}` },
      body: JSON.stringify([null, entry({ endTime: CANARY })]),
    })
    const lines = [message('h'), message('i')].map((each) => JSON.stringify(each)).join('\n')
    const ndjson = await operator.createKey({ name: 'stream', scopes: ['messages:write'] }, { organization: 'acme' })
    await fetch(`${service.url}/v1/messages`, {
      method: 'POST',
      headers: { 'content-type': 'application/x-ndjson', authorization: `Bearer ${ndjson.key}` },
      body: lines,
    }).then((answer) => answer.text())
  })

  const OF_ACME = [
    ['acme', 'litellm', 'litellm', [0, 0, 0, 0, 1]],
    ['acme', 'messages', 'gateway', [1, 1, 0, 0, 0]],
    ['acme', 'messages', 'operator', [1, 0, 0, 0, 0]],
    ['acme', 'messages', 'stream', [2, 0, 0, 0, 0]],
    ['acme', 'messages', 'web', [2, 0, 1, 1, 1]],
  ]

  test('a key sees its own organization, by source and key', async () => {
    assert.deepEqual(briefly(await as('reader').intake()), OF_ACME)
    assert.deepEqual(briefly(await as('app').intake()), [['globex', 'messages', 'app', [1, 0, 0, 0, 0]]])
  })

  test('an operator sees one organization, or all', async () => {
    assert.deepEqual(briefly(await operator.intake({ organization: 'acme' })), OF_ACME)
    assert.deepEqual(briefly(await operator.intake({ organizations: 'all' })), [
      ...OF_ACME,
      ['globex', 'messages', 'app', [1, 0, 0, 0, 0]],
    ])
  })

  test('nobody else sees all, or another one', async () => {
    await assert.rejects(as('reader').intake({ organizations: 'all' }), { status: 403 })
    await assert.rejects(as('reader').intake({ organization: 'globex' }), { status: 404 })
    await assert.rejects(operator.intake({ organizations: 'all', organization: 'acme' }), { status: 400 })
  })

  test('it says why, with fields and ids', async () => {
    const { sources } = await as('reader').intake()
    const reasonsOf = (name: string) => sources.find(({ key }) => key?.name === name)?.reasons
    assert.deepEqual(reasonsOf('web'), [
      {
        outcome: 'rejected',
        field: 'user_id',
        reason: 'must be a string of 1 to 200 characters, free of U+0000 and lone surrogates, or absent',
        records: 1,
        latest_id: 'c',
      },
      { outcome: 'conflict', reason: 'is already charged with other content', records: 1, latest_id: 'b' },
    ])
    assert.deepEqual(reasonsOf('gateway'), [
      { outcome: 'unpriced', reason: 'no case holds in the card flat', records: 1 },
    ])
    assert.deepEqual(
      reasonsOf('litellm')?.map(({ outcome, field, reason }) => [outcome, field ?? reason]),
      [
        ['rejected', 'endTime'],
        ['ignored', 'nothing-logged'],
      ],
    )
  })

  test('it holds no content and no secret', async () => {
    const text = JSON.stringify(await operator.intake({ organizations: 'all' }))
    assert.ok(!text.includes(CANARY))
    assert.ok(!text.includes('cck_'))
  })
})
