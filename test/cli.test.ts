/** The command line as a user runs it: output and exit codes. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { describe, test } from 'node:test'
import { sendListing, startCopilot } from './harness.ts'
import { pathOf, skipWithout } from './shared-data.ts'

const root = join(import.meta.dirname, '..')

const start = (args: readonly string[]) =>
  spawn(process.execPath, ['bin/copilot-credits.js', ...args], { cwd: root, env: { PATH: process.env['PATH'] } })

const run = async (args: readonly string[], input = '') => {
  const child = start(args)
  child.stdin.end(input)
  const [out, err, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'exit')])
  return { out, err, code }
}

describe('copilot-credits rate', () => {
  test('prints each rule that applied and the total', async () => {
    const { out, code } = await run(['rate', 'What is the lease term?'])
    assert.equal(code, 0)
    assert.equal(
      out,
      [
        '“What is the lease term?”',
        'rule             quantity   rate  credits',
        '─────────────────────────────────────────',
        'base                    1   1.00     1.00',
        'characters             23   0.05     1.15',
        'words of 1 to 3         2   0.10     0.20',
        'words of 4 to 7         3   0.20     0.60',
        'third vowels            3   0.30     0.90',
        'unique words            1  -2.00    -2.00',
        '─────────────────────────────────────────',
        'total                               1.85',
        '',
      ]
        .join('\n')
        .replace('total                               1.85', 'total                                1.85'),
    )
  })

  test('reads standard input without its final line break and prints JSON with plain decimals', async () => {
    const { out, code } = await run(['rate', '--json', '-', 'a'], 'orbital latibro\n')
    assert.equal(code, 0)
    const { rate_card, charges } = JSON.parse(out)
    assert.equal(rate_card, 'standard-2024')
    assert.deepEqual(
      charges.map(({ credits }: { credits: number }) => credits),
      [2.1, 2],
    )
    assert.match(out, /"credits": 2\.1,/)
    assert.equal(charges[0].measurement.code_points, 15)
  })

  test('prints no control characters from a text', async () => {
    const { out } = await run(['rate', '\u001b[2J'])
    assert.ok(!out.includes('\u001b'))
  })
})

describe('copilot-credits usage', () => {
  test('prices the published period in two files at 2,264.40', {
    skip: skipWithout('messages.current-period.json'),
  }, async () => {
    const files = [pathOf('messages.current-period.json'), pathOf('reports.current-period.json')]
    const table = await run(['usage', ...files])
    assert.equal(table.code, 0)
    assert.match(table.out, /^total +110 +2,264\.40$/m)
    assert.match(table.out, /^\(priced by text\) +85 +614\.40$/m)
    assert.match(table.out, /^2024-05-04 +24 +634\.80$/m)
    const { usage, totals } = JSON.parse((await run(['usage', '--json', ...files])).out)
    assert.equal(usage.length, 110)
    assert.equal(totals.credits_used, 2264.4)
    assert.equal(totals.by_report.length, 6)
  })

  test('shows the period of an upstream or the bundled sample', async () => {
    const messages = [{ id: 1, text: 'a', timestamp: '2024-05-01T23:30:00Z' }]
    await using upstream = await startCopilot({ listing: sendListing(messages) })
    const { out, code } = await run(['usage', '--upstream', upstream.url, '--time-zone', 'Asia/Kolkata'])
    assert.equal(code, 0)
    assert.match(out, /^2024-05-02 +1 +2\.00$/m)
    assert.match((await run(['usage'])).out, /^ +120 messages/m)
  })

  test('handles a large period, unusual timestamps and hostile ids', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'copilot-credits-'))
    const file = join(folder, 'odd.json')
    const of = (id: unknown, timestamp: string, more = {}) => ({ id, text: '', timestamp, ...more })
    const many = Array.from({ length: 150_000 }, (_, id) => of(id, '2024-05-01T00:00:00Z'))
    const odd = [
      of('\u001b]0;pwned\u0007', '0001-01-01T00:00:00.1234567890123Z'),
      of('\u202eabc', '2024-05-02T00:00:00Z'),
    ]
    writeFileSync(file, JSON.stringify({ messages: [...many, ...odd] }))
    const { out, err, code } = await run(['usage', file])
    assert.equal(code, 0, err)
    assert.match(out, /^0001-01-01 +1 +1\.00\n2024-05-01 +150,000 +150,000\.00$/m)
    // biome-ignore lint/suspicious/noControlCharactersInRegex: matches what must not be printed
    assert.doesNotMatch(out, /[\u001b\u0007\u202e]/)

    const modelOnly = { id: 7, timestamp: '2024-05-02T00:00:00Z', model: 'gpt-5.4', usage: { input_tokens: 10 } }
    writeFileSync(file, JSON.stringify({ messages: [of(1, '2024-05-01T00:00:00Z'), modelOnly] }))
    const withUnpriced = await run(['usage', file])
    assert.match(withUnpriced.out, /^ +7 {2}2024-05-02T00:00:00Z +no price$/m)
    assert.match(withUnpriced.out, /2 messages, 1 without a price +1\.00$/m)
    const { usage, unpriced, totals } = JSON.parse((await run(['usage', '--json', file])).out)
    const [{ unpriced: reason, ...line }] = unpriced
    assert.deepEqual([usage.length, unpriced.length], [1, 1])
    assert.deepEqual(line, { message_id: 7, timestamp: '2024-05-02T00:00:00Z' })
    assert.match(reason, /standard-2024/)
    assert.deepEqual([totals.messages, totals.unpriced, totals.credits_used], [2, 1, 1])

    const reports = join(folder, 'reports.json')
    const report = { id: 5, name: 'A', credit_cost: 1 }
    writeFileSync(reports, JSON.stringify({ reports: [report, { ...report, credit_cost: 99 }] }))
    writeFileSync(file, JSON.stringify({ messages: [of(1, '2024-05-01T00:00:00Z', { report_id: 5 })] }))
    const twice = await run(['usage', file, reports])
    assert.equal(twice.code, 1)
    assert.match(twice.err, /report 5 is listed twice, with different contents/)

    await using upstream = await startCopilot({
      listing: sendListing([of(1, '2024-05-01T00:00:00Z', { report_id: '\u001b[31m' })]),
      report: (_, __, response) => response.end(JSON.stringify(report)),
    })
    const hostile = await run(['usage', '--upstream', upstream.url])
    assert.equal(hostile.code, 1)
    assert.ok(!hostile.err.includes('\u001b'))
  })

  test('an error is one line, with exit code 1, or 2 for invalid arguments', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'copilot-credits-'))
    const broken = join(folder, 'broken.json')
    writeFileSync(broken, '{"messages":[{"id":1,"text":"secret","timestamp":"yesterday"}]}')
    await using upstream = await startCopilot({ listing: (_, response) => response.writeHead(403).end() })
    for (const [args, code, said] of [
      [['usage', broken], 1, /^copilot-credits: .*broken\.json: messages\[0\]\.timestamp must be [^\n]+\n$/],
      [['usage', join(folder, 'absent.json')], 1, /^copilot-credits: .*absent\.json: no such file or directory\n$/],
      [
        ['usage', '--upstream', upstream.url],
        1,
        /^copilot-credits: GET \/messages\/current-period failed after 1 attempt: [^\n]+\n$/,
      ],
      [['usage', '--upstream', 'nonsense'], 2, /^copilot-credits: UPSTREAM_URL must be [^\n]+\n$/],
      [['usage', broken, '--upstream', 'http://x'], 2, /^copilot-credits: use either --upstream or files, not both\n$/],
      [['usage', '--time-zone', 'Mars/Olympus'], 2, /^copilot-credits: --time-zone must be [^\n]+\n$/],
      [['usage', '--time-zone', '+02:00'], 2, /^copilot-credits: --time-zone must be [^\n]+\n$/],
      [['usages'], 2, /^copilot-credits: unknown command 'usages'\n/],
      [['rate'], 2, /^copilot-credits: missing required argument 'text'\nRun with --help for usage\.\n$/],
    ] as const) {
      const { out, err, code: actual } = await run(args)
      assert.equal(actual, code, args.join(' '))
      assert.match(err, said)
      assert.equal(out, '')
      assert.ok(!err.includes('secret'))
    }
  })
})

describe('copilot-credits', () => {
  test('--help works for the program and each command', async () => {
    for (const args of [
      ['--help'],
      ['serve', '--help'],
      ['rate', '--help'],
      ['usage', '--help'],
      ['sandbox', '--help'],
    ]) {
      const { out, code } = await run(args)
      assert.equal(code, 0)
      assert.match(out, /^Usage: copilot-credits/)
    }
    const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
    assert.equal((await run(['--version'])).out, `${version}\n`)
  })

  test('serve rejects an invalid setting with exit code 2', async () => {
    const { err, code } = await run(['serve', '--port', '99999'])
    assert.equal(code, 2)
    assert.match(err, /PORT must be/)
  })
})

describe('copilot-credits sandbox', () => {
  const sandbox = async (args: readonly string[]) => {
    const child = start(['sandbox', '--port', '0', ...args])
    const [line] = (await once(child.stderr, 'data')) as [Buffer]
    const url = /UPSTREAM_URL=(\S+)/.exec(String(line))?.[1] ?? ''
    return {
      url,
      child,
      [Symbol.asyncDispose]: async () => {
        child.kill('SIGINT')
        const [code] = await once(child, 'exit')
        assert.equal(code, 0)
      },
    }
  }

  test('serves a period like the Copilot service, including conditional requests', async () => {
    await using service = await sandbox(['--quiet'])
    const listing = await fetch(`${service.url}/messages/current-period`)
    assert.equal(((await listing.json()) as { messages: unknown[] }).messages.length, 120)
    const etag = listing.headers.get('etag') ?? ''
    const again = await fetch(`${service.url}/messages/current-period`, { headers: { 'if-none-match': etag } })
    assert.equal(again.status, 304)
    assert.deepEqual(await (await fetch(`${service.url}/reports/1124`)).json(), {
      id: 1124,
      name: 'Short Form Report',
      credit_cost: 12.5,
    })
    const missing = await fetch(`${service.url}/reports/7321`)
    assert.equal(missing.status, 404)
    assert.equal(missing.headers.get('content-type'), 'application/xml')
  })

  test('fails, breaks off, omits reports and delays responses on request', async () => {
    await using failing = await sandbox(['--error-rate', '1', '--quiet'])
    assert.equal((await fetch(`${failing.url}/messages/current-period`)).status, 503)

    await using broken = await sandbox(['--broken-rate', '1', '--quiet'])
    await assert.rejects(async () => (await fetch(`${broken.url}/messages/current-period`)).json())

    await using lacking = await sandbox(['--missing', '1124,5392', '--latency', '30', '--quiet'])
    const startedAt = performance.now()
    assert.equal((await fetch(`${lacking.url}/reports/1124`)).status, 404)
    assert.ok(performance.now() - startedAt >= 29)
  })
})
