import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import { InvalidConfig, readConfig, SETTINGS } from './config.ts'

describe('settings', () => {
  test('an unset or empty setting has its default', () => {
    const config = readConfig({})
    assert.equal(config.port, 8000)
    assert.equal(config.host, '127.0.0.1')
    assert.equal(config.upstreamUrl, undefined)
    assert.equal(config.upstreamMaxAgeMs, 1000)
    assert.equal(config.upstreamStaleLimitMs, 300_000)
    assert.equal(config.upstreamMaxBytes, 32 * 1024 * 1024)
    assert.deepEqual(readConfig({ PORT: '', UPSTREAM_URL: ' ' }), config)
  })

  test('a duration or size is read in the unit it names', () => {
    const config = readConfig({
      UPSTREAM_MAX_AGE: '0',
      REPORT_TTL: '250ms',
      UPSTREAM_TIMEOUT: '2min',
      UPSTREAM_MAX_BYTES: '1GiB',
    })
    assert.equal(config.upstreamMaxAgeMs, 0)
    assert.equal(config.reportTtlMs, 250)
    assert.equal(config.upstreamTimeoutMs, 120_000)
    assert.equal(config.upstreamMaxBytes, 1024 ** 3)
  })

  test('one line names every invalid setting and its value', () => {
    const wrong = {
      PORT: '70000',
      HOST: 'a b',
      UPSTREAM_URL: 'ftp://example.org',
      UPSTREAM_MAX_AGE: '10',
      UPSTREAM_TIMEOUT: '0',
      UPSTREAM_ATTEMPTS: '-1',
      UPSTREAM_MAX_BYTES: '5MB',
      LOG_LEVEL: 'loud',
    }
    assert.throws(
      () => readConfig(wrong),
      (error) =>
        error instanceof InvalidConfig &&
        !error.message.includes('\n') &&
        Object.entries(wrong).every(
          ([name, value]) => error.message.includes(name) && error.message.includes(`"${value}"`),
        ),
    )
  })

  for (const url of ['http://user:secret@host', 'http://host/?q=1', 'host:80', 'http://host/#x']) {
    test(`rejects ${url} as a base URL`, () => assert.throws(() => readConfig({ UPSTREAM_URL: url }), InvalidConfig))
  }

  test('an error never shows a password or token, whichever setting holds it', () => {
    for (const value of [
      'http://user:secret@host',
      'https://secret@host/path',
      'ftp://user:secret@host',
      'http://user:se@secret@host',
      'http://user:se/secret@host',
      'http://user:se?secret@host',
      'http://user:se#secret@host',
      'http:/user:secret@host',
      'http:user:secret@host',
      'user:secret@host:80',
      'HTTP://user:secret@host',
      'http://user:\nsecret@host',
      'postgres://user:secret@host:99999/name',
      'http://host/?key=secret',
      'http://host/#secret',
    ]) {
      for (const { name } of Object.values(SETTINGS)) {
        try {
          readConfig({ [name]: value })
        } catch (error) {
          assert.ok(error instanceof InvalidConfig)
          assert.doesNotMatch(error.message, /secret/, `${name}=${value}`)
        }
      }
      assert.throws(() => readConfig({ UPSTREAM_URL: value, PORT: value }), /PORT must be .*UPSTREAM_URL must be /)
    }
    assert.throws(() => readConfig({ UPSTREAM_URL: 'ftp://user:secret@host/path' }), /not "ftp:\/\/\*\*\*@host\/path"/)
    assert.throws(() => readConfig({ DATABASE_URL: 'mysql://user:secret@host' }), /value not shown/)
  })

  test('compose.yaml sets only HOST, PORT and AUTH, and .env can override AUTH', () => {
    const compose = readFileSync(new URL('../compose.yaml', import.meta.url), 'utf8')
    const [, environment = ''] = /\n {4}environment:\n((?: {6}.*\n)+)/.exec(compose) ?? []
    const set = [...environment.matchAll(/^ {6}(\w+): (.+)$/gm)].map(([, name, value]) => [name, value])
    assert.deepEqual(set, [
      ['HOST', '0.0.0.0'],
      ['PORT', '"8000"'],
      ['AUTH', `\${AUTH:-none}`],
    ])
    assert.match(compose, /"127\.0\.0\.1:\$\{PORT:-8000\}:8000"/, 'only this host can reach it')
  })
})
