import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import { after, describe, test } from 'node:test'
import { holdToContract } from './wire-contract.ts'

type Sent = { readonly status?: number; readonly type?: string; readonly body: string }

describe('the check of responses against openapi.json', () => {
  let sent: Sent = { body: '' }
  const server = createServer((_, response) => {
    response.writeHead(sent.status ?? 200, { 'content-type': sent.type ?? 'application/json' }).end(sent.body)
  })
  const contract = holdToContract(server)
  const listening = new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  after(() => server.close())

  const violationsOf = async (path: string, next: Sent): Promise<readonly string[]> => {
    sent = next
    await listening
    const before = contract.violations.length
    const { port } = server.address() as { port: number }
    await (await fetch(`http://127.0.0.1:${port}${path}`)).text()
    return contract.violations.slice(before)
  }

  test('accepts what is documented', async () => {
    assert.deepEqual(await violationsOf('/healthz', { body: '{"status":"alive"}' }), [])
    assert.deepEqual(await violationsOf('/unknown', { status: 404, type: 'text/plain', body: 'nothing' }), [])
  })

  for (const [name, path, next, said] of [
    ['a wrong value', '/healthz', { body: '{"status":"dead"}' }, /\/status/],
    ['an undocumented field', '/healthz', { body: '{"status":"alive","since":1}' }, /additional properties/],
    ['a missing field', '/usage?period=previous', { body: '{"usage":[{"message_id":1}]}' }, /timestamp/],
    ['an undocumented status', '/healthz', { status: 202, body: '{}' }, /status 202/],
    ['an undocumented type', '/healthz', { type: 'text/html', body: '<p>' }, /content type text\/html/],
    [
      'a problem without a title where nothing is documented',
      '/unknown',
      { status: 404, type: 'application/problem+json', body: '{"status":404}' },
      /title/,
    ],
  ] as const) {
    test(`finds ${name}`, async () => {
      const violations = await violationsOf(path, next)
      assert.equal(violations.length, 1)
      assert.match(violations[0] ?? '', said)
    })
  }
})
