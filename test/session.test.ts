/** Signing in to the dashboard: a session can do what its key can, ends with it, and is useless to other sites. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { type OutgoingHttpHeaders, request } from 'node:http'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { describe, test } from 'node:test'
import { InvalidConfig, readConfig } from '../src/config.ts'
import { type Running, sendListing, startCopilot, startService } from './harness.ts'

// biome-ignore lint/suspicious/noExplicitAny: tests look at single fields of a response
type Json = any
type Answer = { readonly status: number; readonly headers: NodeJS.Dict<string | string[]>; readonly body: Json }
type Asked = { readonly method?: string; readonly headers?: OutgoingHttpHeaders; readonly body?: unknown }

/** Sends exactly the given headers; `fetch` replaces some. */
const ask = async (service: Running, path: string, { method, headers = {}, body }: Asked = {}): Promise<Answer> => {
  const sent = request(`${service.url}${path}`, {
    method: method ?? (body === undefined ? 'GET' : 'POST'),
    headers: { ...(body !== undefined && { 'content-type': 'application/json' }), ...headers },
    agent: false,
  })
  sent.end(body === undefined ? undefined : typeof body === 'string' ? body : JSON.stringify(body))
  const [response] = await once(sent, 'response')
  const answered = await text(response)
  const isJson = /json/.test(response.headers['content-type'] ?? '') && answered !== ''
  return { status: response.statusCode, headers: response.headers, body: isJson ? JSON.parse(answered) : answered }
}

const bearer = (key: string) => ({ authorization: `Bearer ${key}` })
/** The headers that a current browser sends for a request by a page of the service, over http on loopback. */
const OWN_PAGE = { 'sec-fetch-site': 'same-origin', origin: 'http://localhost:8000' }

type Scope = 'usage:read' | 'messages:write' | 'admin'

/** A service with an admin key of `default`, and a function that makes more keys. */
const startKeyed = async (environment: Record<string, string> = {}) => {
  const service = await startService(environment)
  const { key: admin } = (await ask(service, '/v1/keys', { body: { scopes: ['admin'] } })).body
  await ask(service, '/v1/organizations', { body: { id: 'acme' }, headers: bearer(admin) })
  const keyOf = async (organization: string, ...scopes: readonly Scope[]): Promise<{ id: string; key: string }> =>
    (await ask(service, `/v1/keys?organization=${organization}`, { body: { scopes }, headers: bearer(admin) })).body
  return { service, admin, keyOf, [Symbol.asyncDispose]: () => service[Symbol.asyncDispose]() }
}

const signIn = (service: Running, key: string, headers: OutgoingHttpHeaders = OWN_PAGE): Promise<Answer> =>
  ask(service, '/v1/session', { body: { key }, headers })

const cookiesOf = ({ headers }: Answer): readonly string[] => [headers['set-cookie'] ?? []].flat()

/** The cookie that the browser sends back. */
const sessionOf = async (service: Running, key: string): Promise<string> => {
  const [cookie = ''] = cookiesOf(await signIn(service, key))
  return cookie.split(';', 1)[0] ?? ''
}

describe('a sign-in with a key', { concurrency: true }, () => {
  test('sets a cookie that scripts cannot read, that other sites cannot send, and that does not hold the key', async () => {
    await using keyed = await startKeyed({ SESSION_LIFETIME: '2h' })
    const answer = await signIn(keyed.service, keyed.admin)
    assert.equal(answer.status, 204)
    assert.equal(answer.body, '')
    assert.equal(answer.headers['cache-control'], 'no-store')
    const [cookie = '', ...more] = cookiesOf(answer)
    assert.deepEqual(more, [])
    const [pair = '', ...attributes] = cookie.split('; ')
    assert.deepEqual(attributes.sort(), ['HttpOnly', 'Max-Age=7200', 'Path=/', 'SameSite=Strict'])
    assert.doesNotMatch(decodeURIComponent(pair), /cck_/)
    assert.ok(!decodeURIComponent(pair).includes(keyed.admin.slice('cck_default_'.length)))
    const { body } = await ask(keyed.service, '/v1/session', { headers: { cookie: pair } })
    assert.deepEqual([body.organization.id, body.scopes, body.signed_in_by], ['default', ['admin'], 'session'])
  })

  test('sets a cookie for https and this host only, unless the browser uses http', async () => {
    await using keyed = await startKeyed()
    for (const [headers, isSecure] of [
      [{ 'sec-fetch-site': 'same-origin', origin: 'https://credits.example' }, true],
      [{ host: 'credits.example', origin: 'https://credits.example' }, true],
      [{ 'sec-fetch-site': 'same-origin', origin: 'null' }, true],
      [{ 'sec-fetch-site': 'same-origin' }, true],
      [{}, true],
      [{ 'sec-fetch-site': 'same-origin', origin: 'http://localhost:8000' }, false],
      [{ host: 'intranet:8000', origin: 'http://intranet:8000' }, false],
    ] as const) {
      const [cookie = ''] = cookiesOf(await signIn(keyed.service, keyed.admin, headers))
      assert.equal(/; Secure(;|$)/.test(cookie), isSecure, cookie)
      assert.equal(cookie.startsWith('__Host-'), isSecure, cookie)
      assert.doesNotMatch(cookie, /Domain=/i)
      const session = { cookie: cookie.split(';', 1)[0] }
      assert.equal((await ask(keyed.service, '/v1/session', { headers: session })).status, 200)
    }
  })

  test('cannot be replaced by a cookie that a sibling domain has planted', async () => {
    await using keyed = await startKeyed()
    const planted = await sessionOf(keyed.service, (await keyed.keyOf('acme', 'usage:read')).key)
    const https = { 'sec-fetch-site': 'same-origin', origin: 'https://credits.example' }
    const [cookie = ''] = cookiesOf(await signIn(keyed.service, keyed.admin, https))
    const own = cookie.split(';', 1)[0]
    const { body } = await ask(keyed.service, '/v1/session', { headers: { cookie: `${planted}; ${own}` } })
    assert.equal(body.organization.id, 'default')
  })

  test('requires a valid key with usage:read, and does not say why a key is invalid', async () => {
    await using keyed = await startKeyed()
    const { service, keyOf, admin } = keyed
    const revoked = await keyOf('acme', 'usage:read')
    await ask(service, `/v1/keys/${revoked.id}?organization=acme`, { method: 'DELETE', headers: bearer(admin) })
    const unknown = await signIn(service, `cck_acme_${'A'.repeat(43)}`)
    for (const [key, status] of [
      [(await keyOf('acme', 'messages:write')).key, 403],
      [revoked.key, 401],
      [`cck_nobody_${'A'.repeat(43)}`, 401],
      [`${admin}x`, 401],
      ['hunter2', 401],
      [' ', 401],
      ['', 400],
      ['x'.repeat(501), 400],
      [{}, 400],
      [undefined, 400],
    ] as const) {
      const answer = await ask(service, '/v1/session', { body: { key }, headers: OWN_PAGE })
      assert.equal(answer.status, status, JSON.stringify(key))
      assert.deepEqual(cookiesOf(answer), [])
      if (key === revoked.key) assert.equal(answer.body.detail, unknown.body.detail)
    }
    assert.equal(unknown.status, 401)
    const form = await ask(service, '/v1/session', {
      body: `key=${admin}`,
      headers: { ...OWN_PAGE, 'content-type': 'application/x-www-form-urlencoded' },
    })
    assert.equal(form.status, 415, 'no form can be sent')
  })

  test('is rejected if there are no keys, because nobody needs to sign in', async () => {
    await using service = await startService({})
    assert.equal((await signIn(service, `cck_default_${'A'.repeat(43)}`)).status, 401)
    const { body } = await ask(service, '/v1/session')
    assert.deepEqual([body.signed_in_by, body.scopes], ['nobody', ['admin']])
  })
})

describe('a session', { concurrency: true }, () => {
  test('can do what its key can, and sees nothing of another organization', async () => {
    await using keyed = await startKeyed()
    const { service, keyOf, admin } = keyed
    const reader = await sessionOf(service, (await keyOf('acme', 'usage:read')).key)
    const operator = await sessionOf(service, admin)
    for (const [cookie, path, asked, status] of [
      [reader, '/usage', {}, 200],
      [reader, '/v1/usage', {}, 200],
      [reader, '/v1/usage/totals', {}, 200],
      [reader, '/v1/periods', {}, 200],
      [reader, '/v1/session?organization=acme', {}, 200],
      [reader, '/v1/session?organization=default', {}, 404],
      [reader, '/usage?organization=default', {}, 404],
      [reader, '/v1/organizations/default', {}, 404],
      [reader, '/v1/keys', {}, 403],
      [reader, '/v1/keys', { body: { scopes: ['admin'] } }, 403],
      [reader, '/v1/messages', { body: { messages: [] } }, 403],
      [operator, '/v1/session?organization=acme', {}, 200],
      [operator, '/v1/keys?organization=acme', {}, 200],
      [operator, '/v1/reports/1', { method: 'PUT', body: { name: 'x', credit_cost: 1 } }, 201],
    ] as const) {
      const answer = await ask(service, path, { ...asked, headers: { ...OWN_PAGE, cookie } })
      assert.equal(answer.status, status, `${path} ${JSON.stringify(answer.body)}`)
    }
  })

  test('ends immediately when its key is revoked', async () => {
    await using keyed = await startKeyed()
    const { service, admin } = keyed
    const { id, key } = await keyed.keyOf('acme', 'usage:read')
    const cookie = await sessionOf(service, key)
    assert.equal((await ask(service, '/usage', { headers: { cookie } })).status, 200)
    await ask(service, `/v1/keys/${id}?organization=acme`, { method: 'DELETE', headers: bearer(admin) })
    assert.equal((await ask(service, '/usage', { headers: { cookie } })).status, 401)
  })

  test('ends after SESSION_LIFETIME, whether or not the browser deletes the cookie', async () => {
    await using keyed = await startKeyed({ SESSION_LIFETIME: '1ms' })
    const [cookie = ''] = cookiesOf(await signIn(keyed.service, keyed.admin))
    assert.match(cookie, /Max-Age=1;/, 'part of a second is rounded up, since 0 would delete the cookie')
    const headers = { cookie: cookie.split(';', 1)[0] }
    const begun = Date.now()
    let status = 200
    while (status === 200 && Date.now() < begun + 5000) {
      status = (await ask(keyed.service, '/v1/session', { headers })).status
    }
    assert.equal(status, 401)
    for (const wrong of ['0', '25h', '12', 'forever']) {
      assert.throws(() => readConfig({ SESSION_LIFETIME: wrong }), InvalidConfig, wrong)
    }
    assert.equal(readConfig({}).sessionLifetimeMs, 12 * 3_600_000)
  })

  test('is ignored if the request has a key, even an invalid one', async () => {
    await using keyed = await startKeyed()
    const { service, admin, keyOf } = keyed
    const cookie = await sessionOf(service, admin)
    const acme = await keyOf('acme', 'usage:read')
    const { body } = await ask(service, '/v1/session', { headers: { cookie, ...bearer(acme.key) } })
    assert.deepEqual([body.organization.id, body.signed_in_by], ['acme', 'key'])
    for (const authorization of ['', 'Basic eDp5', 'Bearer', `Bearer cck_acme_${'A'.repeat(43)}`]) {
      const answer = await ask(service, '/v1/session', { headers: { cookie, authorization } })
      assert.equal(answer.status, 401, authorization)
    }
    const withNonsense = { ...bearer(admin), cookie: 'copilot_credits_session=%ff' }
    assert.equal((await ask(service, '/v1/session', { headers: withNonsense })).body.signed_in_by, 'key')
  })

  test('is not needed by a request that sends a key as the 401 of one without says', async () => {
    await using keyed = await startKeyed()
    const form = 'The Authorization header must be `Bearer` followed by a complete API key, which begins with cck_.'
    for (const [headers, detail] of [
      [{}, 'Send an API key as `Authorization: Bearer cck_…`.'],
      [{ authorization: 'Basic eDp5' }, form],
      [{ authorization: 'Bearer cck_acme_' }, form],
      [bearer(`cck_acme_${'A'.repeat(43)}`), 'The API key is unknown or was revoked.'],
    ] as const) {
      const { status, body } = await ask(keyed.service, '/v1/session', { headers })
      assert.deepEqual([status, body.detail], [401, detail])
    }
  })

  test('is deleted from the browser on sign-out, over http and over https', async () => {
    await using keyed = await startKeyed()
    const cookie = await sessionOf(keyed.service, keyed.admin)
    for (const origin of ['http://localhost:8000', 'https://localhost:8000']) {
      const headers = { 'sec-fetch-site': 'same-origin', origin, cookie }
      const answer = await ask(keyed.service, '/v1/session', { method: 'DELETE', headers })
      assert.equal(answer.status, 204)
      const isSecure = origin.startsWith('https')
      assert.deepEqual(
        cookiesOf(answer).map((each) => each.split('; ').toSorted()),
        [
          ['HttpOnly', 'Max-Age=0', 'Path=/', 'SameSite=Strict', 'Secure', '__Host-copilot_credits_session='],
          [
            ...['HttpOnly', 'Max-Age=0', 'Path=/', 'SameSite=Strict'],
            ...(isSecure ? ['Secure'] : []),
            'copilot_credits_session=',
          ],
        ],
      )
    }
    const twice = await ask(keyed.service, '/v1/session', { method: 'DELETE' })
    assert.equal(twice.status, 204, 'who is signed out may sign out')
  })

  test('that is signed out ends for every copy of its cookie, in every process, and no other session ends', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'copilot-credits-sessions-'))
    try {
      const DATABASE_URL = `sqlite:${join(folder, 'shared.db')}`
      await using keyed = await startKeyed({ DATABASE_URL })
      const { service, admin } = keyed
      await using other = await startService({ DATABASE_URL })
      const copied = await sessionOf(service, admin)
      const kept = await sessionOf(service, admin)
      const keys = (await ask(service, '/v1/keys', { headers: bearer(admin) })).body
      const statusOf = async (at: Running, cookie: string): Promise<number> =>
        (await ask(at, '/v1/usage', { headers: { cookie } })).status
      for (const each of [service, other]) assert.equal(await statusOf(each, copied), 200)
      // Twice at once, like a double click.
      const signOut = { method: 'DELETE', headers: { ...OWN_PAGE, cookie: copied } }
      const answers = await Promise.all([1, 2].map(() => ask(service, '/v1/session', signOut)))
      assert.deepEqual(
        answers.map(({ status }) => status),
        [204, 204],
      )
      const { status, body } = await ask(service, '/usage', { headers: { cookie: copied } })
      assert.deepEqual([status, body.detail], [401, 'The session has ended. Sign in again.'])
      // Another process may have cached the valid session for a few seconds.
      const begun = Date.now()
      while ((await statusOf(other, copied)) === 200 && Date.now() < begun + 20_000);
      await using later = await startService({ DATABASE_URL })
      for (const each of [service, other, later]) {
        assert.equal(await statusOf(each, copied), 401)
        assert.equal(await statusOf(each, kept), 200)
      }
      assert.deepEqual((await ask(service, '/v1/keys', { headers: bearer(admin) })).body, keys, 'it is no key')
      assert.equal((await ask(service, '/v1/session', signOut)).status, 204)
    } finally {
      rmSync(folder, { recursive: true })
    }
  })

  test('is valid in every process on the database, and after a restart', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'copilot-credits-sessions-'))
    try {
      const DATABASE_URL = `sqlite:${join(folder, 'shared.db')}`
      let cookie: string
      {
        await using keyed = await startKeyed({ DATABASE_URL })
        cookie = await sessionOf(keyed.service, keyed.admin)
        await using other = await startService({ DATABASE_URL })
        assert.equal((await ask(other, '/v1/session', { headers: { cookie } })).status, 200)
      }
      await using again = await startService({ DATABASE_URL })
      assert.equal((await ask(again, '/v1/session', { headers: { cookie } })).status, 200)
      await using rekeyed = await startService({ DATABASE_URL, CONTENT_KEY: 'k'.repeat(32) })
      assert.equal((await ask(rekeyed, '/v1/session', { headers: { cookie } })).status, 401)
    } finally {
      rmSync(folder, { recursive: true })
    }
  })

  test('that is forged, altered, truncated, duplicated or garbage is ignored and never causes an error', async () => {
    await using keyed = await startKeyed()
    await using elsewhere = await startKeyed()
    const { service, admin } = keyed
    const good = await sessionOf(service, admin)
    const [name = '', value = ''] = good.split('=', 2)
    const [organization, hash = '', until, ...signature] = decodeURIComponent(value).split('.')
    const signed = signature.join('.')
    const later = Number(until) + 1
    const values: Record<string, string> = {
      'signed elsewhere': (await sessionOf(elsewhere.service, elsewhere.admin)).slice(name.length + 1),
      'of another organization': ['acme', hash, until, signed].join('.'),
      'of another key': [organization, hash.replace(/^./, (c) => (c === 'a' ? 'b' : 'a')), until, signed].join('.'),
      'with a later end': [organization, hash, later, signed].join('.'),
      'without a signature': [organization, hash, until].join('.'),
      'with an empty signature': [organization, hash, until, ''].join('.'),
      'with another signature': [organization, hash, until, signed.replace(/^./, (c) => (c === 'a' ? 'b' : 'a'))].join(
        '.',
      ),
      'cut off': value.slice(0, -1),
      'with more': `${value}A`,
      'with more before': `a${value}`,
      empty: '',
      'a dot': '.',
      dots: '.'.repeat(50),
      'a key': admin,
      'not decodable': '%ff%',
      'with U+0000': '%00.%00.%00.%00',
      long: 'x'.repeat(12_000),
      'long and dotted': 'x.'.repeat(6000),
    }
    const headers = [
      ...Object.entries(values).map(([what, each]) => [what, `${name}=${each}`] as const),
      ...['', ';', '=', ';;=;;', 'a', name, `${name}`, '__proto__=x', 'constructor=x; toString=y', '\u00ff=\u00fe'].map(
        (each) => [each, each] as const,
      ),
      ['good after a bad one', `${name}=x; ${good}`] as const,
      ['under another name', good.replace(name, 'session')] as const,
    ]
    for (const [what, cookie] of headers) {
      for (const path of ['/usage', '/v1/usage', '/v1/session']) {
        const answer = await ask(service, path, { headers: { cookie } })
        assert.equal(answer.status, 401, `${what}: ${path} ${JSON.stringify(answer.body)}`)
      }
    }
    assert.equal((await ask(service, '/v1/session', { headers: { cookie: 'x'.repeat(40_000) } })).status, 431)
    assert.equal((await ask(service, '/v1/session', { headers: { cookie: `a=b; ${good}; c=%` } })).status, 200)
    assert.doesNotMatch(service.logged(), /failed unexpectedly/)
    await using open = await startService({})
    for (const [what, cookie] of headers) {
      assert.equal((await ask(open, '/v1/session', { headers: { cookie } })).status, 200, what)
    }
  })

  test("gets the upstream's listing only if its key may see it, even from memory", async () => {
    await using upstream = await startCopilot({
      listing: sendListing([{ id: 1, text: 'x', timestamp: '2024-05-10T12:00:00Z' }]),
    })
    await using keyed = await startKeyed({ UPSTREAM_URL: upstream.url, UPSTREAM_MAX_AGE: '1min' })
    const { service, admin, keyOf } = keyed
    const own = await ask(service, '/usage', { headers: bearer(admin) })
    assert.equal(own.body.usage.length, 1)
    const operator = { cookie: await sessionOf(service, admin) }
    const reader = { cookie: await sessionOf(service, (await keyOf('acme', 'usage:read')).key) }
    assert.deepEqual((await ask(service, '/usage', { headers: operator })).body, own.body)
    assert.deepEqual((await ask(service, '/usage', { headers: reader })).body, { usage: [] })
    const { key: writer } = await keyOf('default', 'messages:write')
    assert.equal((await ask(service, '/usage', { headers: bearer(writer) })).status, 403)
    for (const headers of [{ cookie: 'copilot_credits_session=x' }, { session: 'default' }, {}]) {
      assert.equal((await ask(service, '/usage', { headers })).status, 401, JSON.stringify(headers))
    }
  })

  test('and its key never appear in a log', async () => {
    await using keyed = await startKeyed()
    const { service, admin } = keyed
    const cookie = await sessionOf(service, admin)
    await ask(service, '/v1/session', { headers: { cookie } })
    await ask(service, '/v1/usage', { headers: { cookie: `${cookie}x` } })
    await ask(service, '/v1/nowhere', { headers: { cookie } })
    await ask(service, '/v1/reports/1', { method: 'DELETE', headers: { cookie, 'sec-fetch-site': 'cross-site' } })
    await ask(service, '/v1/session', { method: 'DELETE', headers: { cookie, ...OWN_PAGE } })
    await ask(service, `/v1/session?key=${admin}`, { headers: { cookie } })
    for (const body of [{ key: `${admin}x` }, { key: admin, more: 1 }, { [admin]: 1 }, `{"key": ${admin}`, admin]) {
      const answer = await ask(service, '/v1/session', { body, headers: OWN_PAGE })
      assert.ok(answer.status === 400 || answer.status === 401, JSON.stringify(answer.body))
    }
    const secrets = [admin.slice('cck_default_'.length), ...decodeURIComponent(cookie).split('.').slice(1)]
    for (const secret of secrets) assert.ok(!service.logged().includes(secret), secret)
  })
})

describe('pages of other sites', { concurrency: true }, () => {
  /** Headers of a browser's request, and whether they come from a page of the service at `credits.example:8000`. */
  const cases: readonly (readonly [OutgoingHttpHeaders, boolean])[] = [
    [{ 'sec-fetch-site': 'same-origin' }, true],
    [{ 'sec-fetch-site': 'none' }, true],
    [{ 'sec-fetch-site': 'same-origin', origin: 'https://as.the.proxy.calls.it' }, true],
    [{ 'sec-fetch-site': 'same-site' }, false],
    [{ 'sec-fetch-site': 'cross-site' }, false],
    [{ 'sec-fetch-site': 'cross-site', origin: 'http://credits.example:8000' }, false],
    [{ 'sec-fetch-site': '' }, false],
    [{ 'sec-fetch-site': 'Same-Origin' }, false],
    [{ 'sec-fetch-site': ['same-origin', 'cross-site'] }, false],
    [{ origin: 'http://credits.example:8000' }, true],
    [{ origin: 'https://credits.example:8000' }, true],
    [{ origin: 'http://credits.example:8001' }, false],
    [{ origin: 'http://credits.example' }, false],
    [{ origin: 'http://app.credits.example:8000' }, false],
    [{ origin: 'http://example:8000' }, false],
    [{ origin: 'http://credits.example.evil:8000' }, false],
    [{ origin: 'http://evil/credits.example:8000' }, false],
    [{ origin: 'http://credits.example:8000@evil' }, false],
    [{ origin: 'null' }, false],
    [{ origin: '' }, false],
    [{ origin: 'credits.example:8000' }, false],
    [{ origin: 'http://credits.example:8000, http://evil' }, false],
    [{}, false],
  ]

  test('cannot change anything on behalf of a signed-in user', async () => {
    await using keyed = await startKeyed()
    const { service, admin } = keyed
    const cookie = await sessionOf(service, admin)
    for (const [index, [headers, isOwn]] of cases.entries()) {
      const asked = {
        method: 'PUT',
        body: { name: 'x', credit_cost: 1 },
        headers: { ...headers, host: 'credits.example:8000', cookie },
      }
      const what = JSON.stringify(headers)
      const answer = await ask(service, `/v1/reports/${index}`, asked)
      assert.equal(answer.status, isOwn ? 201 : 403, what)
      const { status } = await ask(service, `/v1/reports/${index}`, { headers: { cookie } })
      assert.equal(status, isOwn ? 200 : 404, what)
      // With a key of its own, a program is allowed whatever its other headers are.
      const withKey = { ...asked, headers: { ...asked.headers, ...bearer(admin) } }
      assert.equal((await ask(service, `/v1/reports/${index}`, withKey)).status, isOwn ? 200 : 201, what)
    }
  })

  test('cannot change anything by any method on any path, with a session or without authentication', async () => {
    await using keyed = await startKeyed()
    await using open = await startService({})
    await using guarded = await startService({ AUTH: 'none' })
    const cookie = await sessionOf(keyed.service, keyed.admin)
    const { paths } = (await ask(open, '/openapi.json')).body
    let tried = 0
    for (const [path, methods] of Object.entries<Json>(paths)) {
      for (const method of Object.keys(methods).map((each) => each.toUpperCase())) {
        if (method === 'GET' || method === 'HEAD') continue
        tried++
        for (const [service, ambient] of [
          [keyed.service, { cookie }],
          [open, {}],
          [guarded, {}],
          // A browser adds credentials by itself, and a proxy may translate them.
          [guarded, { authorization: 'Basic eDp5' }],
          [guarded, { authorization: 'Bearer eyJhbGciOiJub25lIn0.e30.' }],
        ] as const) {
          for (const headers of [{ 'sec-fetch-site': 'cross-site' }, { origin: 'https://evil.example' }]) {
            const url = path.replace(/\{\w+\}/g, 'x')
            const answer = await ask(service, url, { method, headers: { ...headers, ...ambient } })
            assert.equal(answer.status, 403, `${method} ${path}`)
          }
        }
      }
    }
    assert.ok(tried >= 10, `${tried} methods change something`)
  })

  test('get no CORS permission, and cannot sign anyone in or out', async () => {
    await using keyed = await startKeyed()
    const { service, admin } = keyed
    const cookie = await sessionOf(service, admin)
    const headers = { origin: 'https://evil.example', 'access-control-request-method': 'PUT' }
    for (const preflight of [headers, { ...headers, 'access-control-request-headers': 'authorization' }]) {
      const answer = await ask(service, '/v1/reports/1', { method: 'OPTIONS', headers: preflight })
      assert.ok(answer.status >= 400)
      assert.ok(Object.keys(answer.headers).every((name) => !name.startsWith('access-control')))
    }
    for (const origin of ['https://evil.example', 'null']) {
      const planted = await signIn(service, admin, { origin })
      const signedOut = await ask(service, '/v1/session', { method: 'DELETE', headers: { origin, cookie } })
      assert.deepEqual([planted.status, signedOut.status], [403, 403])
      assert.deepEqual([...cookiesOf(planted), ...cookiesOf(signedOut)], [])
    }
  })

  test('are told apart from our own by PUBLIC_URL if a proxy changes Host; without it, the problem says what to set', async () => {
    const origin = 'http://credits.example'
    const headers = { host: 'backend:8000', origin }
    await using unset = await startKeyed()
    const { status, body } = await signIn(unset.service, unset.admin, headers)
    assert.equal(status, 403)
    for (const part of [origin, 'backend:8000', 'PUBLIC_URL']) assert.ok(body.detail.includes(part), body.detail)
    await using keyed = await startKeyed({ PUBLIC_URL: `${origin}/` })
    const answer = await signIn(keyed.service, keyed.admin, headers)
    assert.equal(answer.status, 204)
    const cookie = cookiesOf(answer)[0]?.split(';', 1)[0]
    const signedOut = await ask(keyed.service, '/v1/session', { method: 'DELETE', headers: { ...headers, cookie } })
    assert.equal(signedOut.status, 204)
    for (const other of ['http://credits.example:81', 'https://credits.example', 'http://a.credits.example', 'null']) {
      assert.equal((await signIn(keyed.service, keyed.admin, { ...headers, origin: other })).status, 403, other)
    }
    const crossSite = { ...headers, 'sec-fetch-site': 'cross-site' }
    assert.equal((await signIn(keyed.service, keyed.admin, crossSite)).status, 403)
    for (const wrong of ['credits.example', 'ftp://credits.example', 'http://credits.example/path', 'http://u:p@x']) {
      assert.throws(() => readConfig({ PUBLIC_URL: wrong }), InvalidConfig, wrong)
    }
  })

  test('are recognized even if a proxy sends no Host', async () => {
    await using service = await startService({ AUTH: 'none' })
    const { hostname, port } = new URL(service.url)
    for (const origin of ['null', 'nonsense']) {
      const socket = connect(Number(port), hostname)
      socket.write(`DELETE /v1/reports/1 HTTP/1.0\r\nOrigin: ${origin}\r\n\r\n`)
      assert.match(await text(socket), /^HTTP\/1\.1 403 /, origin)
    }
  })

  test('cannot change anything by GET, and shared caches do not store the responses to a session', async () => {
    await using keyed = await startKeyed()
    const { service, admin } = keyed
    const message = { id: 'x', text: 'x', timestamp: new Date().toISOString() }
    await ask(service, '/v1/messages', { body: { messages: [message] }, headers: bearer(admin) })
    await ask(service, '/v1/reports/x', { method: 'PUT', body: { name: 'x', credit_cost: 1 }, headers: bearer(admin) })
    const state = async (): Promise<readonly Json[]> => {
      const paths = ['/usage', '/v1/usage', '/v1/keys', '/v1/organizations', '/v1/reports/x']
      const answers = await Promise.all(paths.map((path) => ask(service, path, { headers: bearer(admin) })))
      return answers.map(({ status, body }) => [status, body])
    }
    const before = await state()
    const cookie = await sessionOf(service, admin)
    const { paths } = (await ask(service, '/openapi.json')).body
    for (const [path, methods] of Object.entries<Json>(paths)) {
      if (methods.get === undefined) continue
      for (const method of ['GET', 'HEAD']) {
        const headers = { cookie, 'sec-fetch-site': 'cross-site', origin: 'https://evil.example' }
        const answer = await ask(service, path.replace(/\{\w+\}/g, 'x'), { method, headers })
        assert.notEqual(answer.status, 403, path)
        assert.deepEqual(cookiesOf(answer), [], path)
        assert.ok(Object.keys(answer.headers).every((name) => !name.startsWith('access-control')))
        assert.match(String(answer.headers['cache-control']), /no-store|private, no-cache/, path)
      }
    }
    assert.deepEqual(await state(), before)
  })
})
