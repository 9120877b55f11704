/** Delivery of the dashboard: an uncached page, immutable files, and a content security policy. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { type IncomingHttpHeaders, request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { after, before, describe, test } from 'node:test'
import { brotliDecompressSync, gunzipSync } from 'node:zlib'
import Fastify from 'fastify'
import { AREAS } from '../dashboard/src/areas.ts'
import { dashboardRoutes } from '../src/http/routes/dashboard.ts'
import { type Running, startService } from './harness.ts'

/** Gets the raw response, which `fetch` would decompress. */
const get = (url: string, headers: Record<string, string> = {}) =>
  new Promise<{ status: number | undefined; headers: IncomingHttpHeaders; body: Buffer }>((resolve, reject) => {
    request(url, { headers }, async (response) => {
      resolve({ status: response.statusCode, headers: response.headers, body: await buffer(response) })
    })
      .on('error', reject)
      .end()
  })

const addressesIn = (html: string): readonly string[] =>
  [...html.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, path]) => path ?? '')

const filesIn = (html: string): readonly string[] => addressesIn(html).filter((path) => path.startsWith('/assets/'))

describe('the dashboard', () => {
  let service: Running
  let html = ''
  before(async () => {
    service = await startService({})
    html = (await get(`${service.url}/`)).body.toString()
  })
  after(() => service?.[Symbol.asyncDispose]())

  test('is served with any query string', async () => {
    const { status, body } = await get(`${service.url}/?x=%E0%A4%A&y=%00&y=1`)
    assert.deepEqual([status, body.toString()], [200, html])
  })

  test('is served at the address of every area', async () => {
    for (const { path } of AREAS) {
      const { status, headers, body } = await get(`${service.url}${path}?period=2024-05`)
      assert.deepEqual([status, body.toString()], [200, html], path)
      assert.equal(headers['cache-control'], 'no-store')
      assert.match(String(headers['content-security-policy']), /default-src 'none'/)
    }
  })

  test('answers an unknown address with the page for a browser, and with a problem for everyone else', async () => {
    const accept = 'text/html,application/xhtml+xml,*/*;q=0.8'
    const visited = await get(`${service.url}/nowhere?x=1`, { accept })
    assert.deepEqual([visited.status, visited.body.toString()], [404, html])
    assert.equal(visited.headers['content-type'], 'text/html; charset=utf-8')
    assert.equal(visited.headers['cache-control'], 'no-store')
    assert.match(String(visited.headers['content-security-policy']), /default-src 'none'/)
    const asked = await Promise.all([
      get(`${service.url}/nowhere`),
      get(`${service.url}/v1/nowhere`, { accept }),
      get(`${service.url}/assets/none.js`, { accept }),
    ])
    for (const { status, headers } of asked) {
      assert.deepEqual([status, headers['content-type']], [404, 'application/problem+json; charset=utf-8'])
    }
  })

  test('is an uncached page that loads only from the service and cannot be framed', async () => {
    const { status, headers } = await get(`${service.url}/?period=2024-05`)
    assert.equal(status, 200)
    assert.equal(headers['cache-control'], 'no-store')
    assert.equal(headers['content-type'], 'text/html; charset=utf-8')
    const policy = String(headers['content-security-policy'])
    for (const part of ["default-src 'none'", "script-src 'self'", "style-src 'self'", "frame-ancestors 'none'"]) {
      assert.ok(policy.includes(part), part)
    }
    assert.doesNotMatch(policy, /unsafe|https?:|data:|\*/)
    assert.equal(headers['referrer-policy'], 'no-referrer')
    assert.equal(headers['x-content-type-options'], 'nosniff')
    assert.equal(headers['x-frame-options'], 'DENY')
    assert.equal(headers['cross-origin-opener-policy'], 'same-origin')
  })

  test('has nothing inline and no resources from other hosts', () => {
    assert.doesNotMatch(html, /<style|\sstyle=|\son[a-z]+=/)
    assert.doesNotMatch(html.replaceAll(/<script [^>]*src="[^"]+"[^>]*><\/script>/g, ''), /<script/)
    assert.ok(filesIn(html).length >= 3)
    for (const path of addressesIn(html)) assert.match(path, /^\/(?!\/)/)
    for (const path of filesIn(html)) assert.match(path, /^\/assets\/[\w.-]+-[\w-]{8}\.\w+$/)
  })

  test('has precompressed files that are immutable and named by their content', async () => {
    for (const path of filesIn(html).filter((each) => !each.endsWith('.woff2'))) {
      const plain = await get(`${service.url}${path}`)
      assert.equal(plain.status, 200, path)
      assert.equal(plain.headers['cache-control'], 'public, max-age=31536000, immutable')
      assert.equal(plain.headers['content-encoding'], undefined)
      const brotli = await get(`${service.url}${path}`, { 'accept-encoding': 'gzip, br' })
      assert.equal(brotli.headers['content-encoding'], 'br')
      assert.match(brotli.headers.vary ?? '', /accept-encoding/i)
      assert.equal(brotli.headers['content-type'], plain.headers['content-type'])
      assert.deepEqual(brotliDecompressSync(brotli.body), plain.body)
      const gzip = await get(`${service.url}${path}`, { 'accept-encoding': 'gzip' })
      assert.equal(gzip.headers['content-encoding'], 'gzip')
      assert.deepEqual(gunzipSync(gzip.body), plain.body)
    }
  })

  test('needs at most 150 kB of JavaScript for the first view', async () => {
    const scripts = filesIn(html).filter((path) => path.endsWith('.js'))
    const sizes = await Promise.all(
      scripts.map(async (path) => (await get(`${service.url}${path}`, { 'accept-encoding': 'gzip' })).body.length),
    )
    assert.ok(sizes.length > 0)
    const sum = sizes.reduce((total, size) => total + size, 0)
    assert.ok(sum <= 150_000, `${sum} bytes, with gzip`)
  })

  test('exposes no other files: no compressed variants, no sources', async () => {
    const [script = ''] = filesIn(html)
    for (const path of [`${script}.br`, '/assets/', '/assets/none.js', '/.built-from', '/..%2fpackage.json', '/app']) {
      assert.equal((await get(`${service.url}${path}`)).status, 404, path)
    }
    const posted = await fetch(service.url, { method: 'POST' })
    assert.equal(posted.status, 405)
  })
})

test('if the dashboard is not built, / redirects to the documentation and the log names the remedy', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'copilot-credits-test-'))
  const lines: string[] = []
  const app = Fastify({ logger: { stream: { write: (line: string) => lines.push(line) } } })
  try {
    await app.register(dashboardRoutes, { folder })
    const { statusCode, headers } = await app.inject('/')
    assert.deepEqual([statusCode, headers.location], [302, '/docs'])
    assert.match(lines.join(''), /npm run build/)
  } finally {
    await app.close()
    rmSync(folder, { recursive: true })
  }
})

test('pages of usage and totals are compressed on request', async () => {
  await using service = await startService({})
  const plain = await get(`${service.url}/v1/usage?limit=1000`)
  for (const [encoding, decompress] of [
    ['br', brotliDecompressSync],
    ['gzip', gunzipSync],
  ] as const) {
    const { headers, body } = await get(`${service.url}/v1/usage?limit=1000`, { 'accept-encoding': encoding })
    assert.equal(headers['content-encoding'], encoding)
    assert.ok(body.length < plain.body.length / 4)
    assert.deepEqual(decompress(body), plain.body)
  }
})
