/** The commands that use the database, as a user runs them, on each store. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { after, before, describe, test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { type Running, startService } from './harness.ts'
import { type PostgresServer, startPostgres } from './postgres-server.ts'
import { pathOf, skipWithout } from './shared-data.ts'

const root = join(import.meta.dirname, '..')

type Outcome = { readonly out: string; readonly err: string; readonly code: number | null }
type Run = (args: readonly string[], input?: string | Buffer) => Promise<Outcome>

const runWith =
  (environment: Readonly<Record<string, string>>): Run =>
  async (args, input = '') => {
    const child = spawn(process.execPath, ['bin/copilot-credits.js', ...args], {
      cwd: root,
      env: { PATH: process.env['PATH'], LOG_LEVEL: 'warn', ...environment },
    })
    child.stdin.on('error', () => {})
    child.stdin.end(input)
    const [out, err, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'exit')])
    return { out, err, code }
  }

const temporaryFolder = () => {
  const path = mkdtempSync(join(tmpdir(), 'copilot-credits-cli-'))
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true }) }
}

const totalOf = async (service: Running, organization = 'default'): Promise<unknown> => {
  const range = 'from=2024-01-01&to=2025-01-01'
  const response = await fetch(`${service.url}/v1/usage/totals?bucket=none&${range}&organization=${organization}`)
  const { buckets } = (await response.json()) as { buckets: { messages: number; credits: number }[] }
  return [buckets[0]?.messages, buckets[0]?.credits]
}

let server: PostgresServer
before(async () => {
  server = await startPostgres()
})
after(() => server[Symbol.asyncDispose]())

const STORES = {
  SQLite: async (folder: string): Promise<string> => `sqlite:${join(folder, 'ledger.db')}`,
  PostgreSQL: (): Promise<string> => server.createDatabase(),
}

const MESSAGES = [
  { id: 1, text: 'What is the lease term?', timestamp: '2024-05-10T12:00:00Z', user_id: 'ada' },
  { id: 'two', text: 'a, "quoted"\nline', timestamp: '2024-05-11T12:00:00.5+02:00' },
  { id: 3, text: 'Short form', timestamp: '2024-05-12T00:00:00Z', report_id: 1124 },
]
const REPORTS = { reports: [{ id: 1124, name: 'Short Form Report', credit_cost: 12.5 }] }
const NDJSON = MESSAGES.map((each) => `${JSON.stringify(each)}\n`).join('')
const CSV = [
  'timestamp,id,report_id,user_id,text',
  '2024-05-10T12:00:00Z,1,,ada,What is the lease term?',
  '2024-05-11T12:00:00.5+02:00,two,,,"a, ""quoted""\nline"',
  '2024-05-12T00:00:00Z,3,1124,,Short form',
].join('\r\n')

for (const [name, databaseIn] of Object.entries(STORES)) {
  describe(`on ${name}`, () => {
    test('import reads every file format, directly and over HTTP, and charges each message once', async () => {
      using folder = temporaryFolder()
      const DATABASE_URL = await databaseIn(folder.path)
      await using service = await startService({ DATABASE_URL })
      const run = runWith({ DATABASE_URL })
      const put = (file: string, content: string | Buffer): string => {
        writeFileSync(join(folder.path, file), content)
        return join(folder.path, file)
      }
      const reports = put('reports.json', JSON.stringify(REPORTS))
      const rejects = ['--rejects', join(folder.path, 'rejects.ndjson')]
      const first = await run([
        'import',
        put('a.json', JSON.stringify({ messages: MESSAGES })),
        '--reports',
        reports,
        ...rejects,
      ])
      assert.equal(first.code, 0, first.err)
      assert.match(first.out, /^accepted +3$/m)
      const expected = await totalOf(service)
      assert.equal((expected as unknown[])[0], 3)

      const again: [string, readonly string[], (string | Buffer)?][] = [
        ['JSON, gzip', [put('a.json.gz', gzipSync(JSON.stringify({ messages: MESSAGES })))]],
        ['NDJSON', [put('a.ndjson', NDJSON)]],
        ['NDJSON, gzip, by its content', [put('a.data', gzipSync(NDJSON))]],
        ['CSV with quotes, line breaks and columns in another order', [put('a.csv', CSV)]],
        ['CSV with a byte order mark, gzip', [put('b.csv.gz', gzipSync(`\ufeff${CSV}`))]],
        ['standard input', ['-'], NDJSON],
        ['standard input, CSV', ['-', '--format', 'csv'], CSV],
        ['standard input, gzip', ['-'], gzipSync(JSON.stringify({ messages: MESSAGES }))],
        ['over HTTP', [join(folder.path, 'a.ndjson'), '--url', service.url, '--reports', reports]],
      ]
      for (const [what, args, input] of again) {
        const { out, err, code } = await run(['import', '--json', ...args, ...rejects], input)
        assert.equal(code, 0, `${what}: ${err}`)
        assert.deepEqual(JSON.parse(out), { accepted: 0, duplicate: 3, conflict: 0, rejected: 0 }, what)
      }
      assert.deepEqual(await totalOf(service), expected)
      assert.ok(!existsSync(join(folder.path, 'rejects.ndjson')), 'nothing was rejected, so there is no file')
    })

    test('import lists rejected messages without their texts and exits with 1', async () => {
      using folder = temporaryFolder()
      const DATABASE_URL = await databaseIn(folder.path)
      await using service = await startService({ DATABASE_URL })
      const file = join(folder.path, 'odd.ndjson')
      const rejects = join(folder.path, 'rejects.ndjson')
      const lines = [
        JSON.stringify(MESSAGES[0]),
        JSON.stringify({ ...MESSAGES[0], text: 'another secret' }),
        '{"id":4,"text":"secret","timestamp":"yesterday"}',
        '{"id":5,',
        '',
        '{"id":6,"text":"a","timestamp":"2024-05-10T12:00:00Z"}',
      ]
      writeFileSync(file, lines.join('\n'))
      for (const to of [[], ['--url', service.url]]) {
        const { out, err, code } = await runWith({ DATABASE_URL })(['import', file, '--rejects', rejects, ...to])
        assert.equal(code, 1)
        assert.match(out, /^conflict +1$/m)
        assert.match(out, /^rejected +2$/m)
        assert.match(err, /line 3 \(id 4\): timestamp must be an RFC 3339 date-time/)
        const listed = readFileSync(rejects, 'utf8')
          .trimEnd()
          .split('\n')
          .map((line) => JSON.parse(line))
        assert.deepEqual(
          listed.map(({ place, status, id }) => [place, status, id]),
          [
            [2, 'conflict', 1],
            [3, 'rejected', 4],
            [4, 'rejected', undefined],
          ],
        )
        assert.doesNotMatch(`${out}${err}${readFileSync(rejects, 'utf8')}`, /secret/)
      }
      assert.equal(((await totalOf(service)) as unknown[])[0], 2)
    })

    test('import names the reason for messages without a price, and exits with 1 as long as there are any', async () => {
      using folder = temporaryFolder()
      const DATABASE_URL = await databaseIn(folder.path)
      await using service = await startService({ DATABASE_URL })
      const file = join(folder.path, 'tokens.csv')
      writeFileSync(file, 'id,timestamp,text,model\n1,2024-05-10T12:00:00Z,a,\n2,2024-05-10T12:00:00Z,,gpt-5.4\n')
      for (const [to, status] of [
        [[], 'unpriced'],
        [[], 'duplicate'],
        [['--url', service.url], 'duplicate'],
      ] as const) {
        const { out, err, code } = await runWith({ DATABASE_URL })(['import', file, ...to])
        assert.equal(code, 1, status)
        assert.match(out, new RegExp(`^${status} +[12]$`, 'm'))
        assert.match(err, /^1 message has no price: no case holds in the card standard-2024$/m)
      }
    })

    test('repeating an import that was killed gives the same result', {
      skip: skipWithout('messages.current-period.json'),
    }, async () => {
      using folder = temporaryFolder()
      const DATABASE_URL = await databaseIn(folder.path)
      const args = [
        'import',
        pathOf('messages.current-period.json'),
        '--reports',
        pathOf('reports.current-period.json'),
        '--rejects',
        join(folder.path, 'rejects.ndjson'),
      ]
      const environment = { PATH: process.env['PATH'], DATABASE_URL }
      const killed = spawn(process.execPath, ['bin/copilot-credits.js', ...args], { cwd: root, env: environment })
      setTimeout(() => killed.kill('SIGKILL'), 700)
      await once(killed, 'exit')
      const { out, code } = await runWith({ DATABASE_URL })([...args, '--json'])
      assert.equal(code, 0)
      const { accepted, duplicate } = JSON.parse(out)
      assert.equal(accepted + duplicate, 110)
      await using service = await startService({ DATABASE_URL })
      assert.deepEqual(await totalOf(service), [110, 2264.4])
    })

    test('keys can be created, listed without their secret and revoked while the service runs', async () => {
      using folder = temporaryFolder()
      const DATABASE_URL = await databaseIn(folder.path)
      await using service = await startService({ DATABASE_URL })
      const run = runWith({ DATABASE_URL })
      const made = await run([
        'keys',
        'create',
        '--scope',
        'usage:read',
        '--scope',
        'messages:write',
        '--name',
        'loader',
      ])
      assert.equal(made.code, 0, made.err)
      assert.match(made.out, /^cck_default_[\w-]{43}\n$/)
      const key = made.out.trim()
      const [, id = ''] = /^Created (key_\w+)\./m.exec(made.err) ?? []
      const listed = await run(['keys', 'list'])
      assert.match(listed.out, new RegExp(`^${id} +loader +usage:read, messages:write +20`, 'm'))
      assert.ok(!listed.out.includes(key))

      const file = join(folder.path, 'a.ndjson')
      writeFileSync(file, NDJSON)
      const withKey = runWith({ COPILOT_CREDITS_KEY: key })
      const rejects = join(folder.path, 'rejects.ndjson')
      const sent = await withKey(['import', file, '--url', service.url, '--json', '--rejects', rejects])
      assert.deepEqual([sent.code, JSON.parse(sent.out || '{}').accepted], [0, 3], sent.err)
      const refused = await withKey([
        'import',
        file,
        '--url',
        service.url,
        '--organization',
        'other',
        '--rejects',
        rejects,
      ])
      assert.equal(refused.code, 1)
      assert.match(refused.err, /status 404/)
      // The service caches a key that was used. A key that was never used is rejected immediately.
      const unused = JSON.parse((await run(['keys', 'create', '--scope', 'usage:read', '--json'])).out)
      assert.equal((await run(['keys', 'revoke', unused.id])).code, 0)
      const read = await fetch(`${service.url}/v1/usage`, { headers: { authorization: `Bearer ${unused.key}` } })
      assert.equal(read.status, 401)
      const [, revoked] = JSON.parse((await run(['keys', 'list', '--json'])).out).keys
      assert.equal(revoked.id, unused.id)
      assert.match(revoked.revoked, /^20/)

      for (const [args, code, said] of [
        [['keys', 'revoke', 'key_none'], 1, /no such key: key_none/],
        [['keys', 'create', '--scope', 'all'], 2, /usage:read, messages:write, admin/],
        [['keys', 'create'], 2, /--scope/],
        [['keys', 'create', '--scope', 'admin', '--name', 'x'.repeat(201)], 2, /at most 200 characters/],
        [['keys', 'list', '--organization', 'nobody'], 1, /no such organization: nobody/],
      ] as const) {
        const wrong = await run(args)
        assert.equal(wrong.code, code)
        assert.match(wrong.err, said)
        assert.equal(wrong.out, '')
      }
    })

    test('serve on a public address requires a key, or AUTH=none with a warning', async () => {
      using folder = temporaryFolder()
      const DATABASE_URL = await databaseIn(folder.path)
      const run = runWith({ DATABASE_URL, HOST: '0.0.0.0', PORT: '0' })
      const refused = await run(['serve'])
      assert.equal(refused.code, 2)
      assert.match(refused.err, /no API key yet.*keys create/)

      const serve = async (more: Record<string, string>) => {
        const child = spawn(process.execPath, ['bin/copilot-credits.js', 'serve'], {
          cwd: root,
          env: { PATH: process.env['PATH'], DATABASE_URL, HOST: '0.0.0.0', PORT: '0', ...more },
        })
        let log = ''
        for await (const chunk of child.stdout) {
          log += chunk
          if (/serving on/.test(log) && (more['AUTH'] === undefined || /AUTH=none/.test(log))) break
        }
        const [, port] = /serving on http:\/\/[^"]*?:(\d+)/.exec(log) ?? []
        const { status } = await fetch(`http://127.0.0.1:${port}/usage`)
        child.kill('SIGTERM')
        child.stdout.destroy()
        const [code] = child.exitCode === null ? await once(child, 'exit') : [child.exitCode]
        return { status, code, log }
      }
      const open = await serve({ AUTH: 'none' })
      assert.deepEqual([open.status, open.code], [200, 0])
      assert.match(open.log, /anyone who can reach the service can read and write everything/)
      assert.equal((await run(['keys', 'create', '--scope', 'admin'])).code, 0)
      const guarded = await serve({})
      assert.deepEqual([guarded.status, guarded.code], [401, 0])
    })

    test('db distribute explains why it cannot distribute', async () => {
      using folder = temporaryFolder()
      const { code, err, out } = await runWith({ DATABASE_URL: await databaseIn(folder.path) })(['db', 'distribute'])
      assert.equal(code, 1)
      assert.match(err, name === 'SQLite' ? /names a SQLite file/ : /does not have the citus extension/)
      assert.equal(out, '')
    })
  })
}

test('a file or database that cannot be opened is an error of one line, with exit code 1', async () => {
  using folder = temporaryFolder()
  const file = join(folder.path, 'no-database')
  writeFileSync(file, 'this is no database, and it is longer than the header of one would be: '.repeat(50))
  for (const url of [`sqlite:${file}`, `sqlite:${file}/below/ledger.db`, 'postgres://127.0.0.1:1/none']) {
    const outcomes = await Promise.all(
      [['keys', 'list'], ['serve']].map((args) => runWith({ DATABASE_URL: url })(args)),
    )
    for (const { code, err } of outcomes) {
      assert.equal(code, 1, url)
      assert.match(err, /^copilot-credits: [^\n]*(no-database|127\.0\.0\.1:1)[^\n]*\n$/)
    }
  }
  assert.match((await runWith({ DATABASE_URL: 'mysql://x' })(['keys', 'list'])).err, /DATABASE_URL must be/)
  for (const file of [join(folder.path, 'absent.json'), folder.path]) {
    const { code, err } = await runWith({ DATABASE_URL: `sqlite:${join(folder.path, 'l.db')}` })(['import', file])
    assert.equal(code, 1)
    assert.match(err, /^copilot-credits: [^\n]+\n$/)
  }
})

describe('import', () => {
  const T = '2024-05-10T12:00:00Z'
  const SECRET = 'secret-password 4711'
  const ledgerIn = (folder: string): string => `sqlite:${join(folder, 'ledger.db')}`
  const linesOf = (count: number, more: object = {}): string =>
    Array.from(
      { length: count },
      (_, id) => `${JSON.stringify({ id, text: `text ${id}`, timestamp: T, ...more })}\n`,
    ).join('')

  test('warns of reports missing from the catalogue, directly and over HTTP', async () => {
    using folder = temporaryFolder()
    const DATABASE_URL = ledgerIn(folder.path)
    await using service = await startService({ DATABASE_URL })
    const run = runWith({ DATABASE_URL })
    const rejects = ['--rejects', join(folder.path, 'rejects.ndjson')]
    const file = join(folder.path, 'a.ndjson')
    const ids = [1124, 77, 'lease', 77]
    writeFileSync(
      file,
      ids.map((reportId, id) => JSON.stringify({ id, text: 'a', timestamp: T, report_id: reportId })).join('\n'),
    )
    const reports = join(folder.path, 'reports.json')
    writeFileSync(reports, JSON.stringify(REPORTS))
    for (const to of [
      ['--reports', reports],
      ['--url', service.url],
    ]) {
      const { out, err, code } = await run(['import', file, '--json', ...to, ...rejects])
      assert.equal(code, 0, err)
      assert.match(err, /3 messages name reports missing from the catalogue.*: 77 \(2\), "lease" \(1\)\n/)
      assert.deepEqual(JSON.parse(out).unknown_reports, [
        { report_id: 77, messages: 2 },
        { report_id: 'lease', messages: 1 },
      ])
    }
  })

  test('opens the file of rejects before charging anything, and never overwrites its input', async () => {
    using folder = temporaryFolder()
    const DATABASE_URL = ledgerIn(folder.path)
    const run = runWith({ DATABASE_URL })
    const file = join(folder.path, 'a.ndjson')
    writeFileSync(file, linesOf(3))
    for (const [rejects, code, said] of [
      [join(folder.path, 'absent', 'r.ndjson'), 1, /cannot write rejected messages to .*--rejects/],
      [file, 2, /is one of the input files/],
    ] as const) {
      const outcome = await run(['import', file, '--rejects', rejects])
      assert.equal(outcome.code, code)
      assert.match(outcome.err, said)
      assert.match(outcome.err, /^copilot-credits: [^\n]+\n$/)
    }
    assert.ok(!existsSync(join(folder.path, 'ledger.db')), 'the database was not opened')
    assert.equal(readFileSync(file, 'utf8'), linesOf(3))
  })

  test('says what is charged and how to resume, and a repeated import charges the rest', async () => {
    using folder = temporaryFolder()
    const DATABASE_URL = ledgerIn(folder.path)
    const run = runWith({ DATABASE_URL })
    const rejects = ['--rejects', join(folder.path, 'rejects.ndjson')]
    const good = linesOf(2500)
    const whole = gzipSync(good)
    const cutOff = join(folder.path, 'cut.ndjson.gz')
    writeFileSync(cutOff, whole.subarray(0, -5))
    const other = join(folder.path, 'other.ndjson')
    writeFileSync(other, `{"id":"other","text":"a","timestamp":"${T}"}\n{"id":"bad","text":7,"timestamp":"${T}"}`)

    const halfway = await run(['import', cutOff, other, '--json', ...rejects])
    assert.equal(halfway.code, 1)
    assert.match(halfway.err, /cut\.ndjson\.gz: ends in the middle of its gzip data/)
    assert.match(halfway.err, /Accepted messages are charged\..*nothing is charged twice\.\n$/)
    assert.deepEqual(JSON.parse(halfway.out), {
      accepted: 2001,
      duplicate: 0,
      conflict: 0,
      rejected: 1,
      complete: false,
    })

    writeFileSync(cutOff, whole)
    const again = await run(['import', cutOff, '--json', ...rejects])
    assert.deepEqual(JSON.parse(again.out), { accepted: 500, duplicate: 2000, conflict: 0, rejected: 0 })
  })

  test('says what is charged if the file of rejects can no longer be written', {
    skip: !existsSync('/dev/full') && 'there is no /dev/full',
  }, async () => {
    using folder = temporaryFolder()
    const file = join(folder.path, 'a.ndjson')
    writeFileSync(file, `${linesOf(10)}${`{"text":"${SECRET}"}\n`.repeat(3000)}`)
    const { out, err, code } = await runWith({ DATABASE_URL: ledgerIn(folder.path) })([
      'import',
      file,
      '--rejects',
      '/dev/full',
    ])
    assert.equal(code, 1)
    assert.match(out, /^accepted +10$/m)
    assert.match(err, /to \/dev\/full \(no space left on device\)/)
    assert.match(err, /^Incomplete list: \/dev\/full$/m)
    assert.match(err, /nothing is charged twice/)
    assert.doesNotMatch(`${out}${err}`, /secret|4711/)
  })

  test('a signal stops an import that waits for input, after it lists the rejected messages', async () => {
    using folder = temporaryFolder()
    const rejects = join(folder.path, 'r')
    const child = spawn(process.execPath, ['bin/copilot-credits.js', 'import', '-', '--json', '--rejects', rejects], {
      cwd: root,
      env: { PATH: process.env['PATH'], DATABASE_URL: ledgerIn(folder.path) },
    })
    const said = Promise.all([text(child.stdout), text(child.stderr), once(child, 'exit')])
    // More than the pipe and the import can buffer: once this is written, some messages were sent.
    await new Promise<void>((resolve) => child.stdin.write(`{"text":7}\n${linesOf(20_000)}`, () => resolve()))
    child.kill('SIGINT')
    const [out, err, [code]] = await said
    assert.equal(code, 1)
    assert.match(err, /stopped by SIGINT/)
    const { accepted, rejected, complete } = JSON.parse(out)
    assert.equal(complete, false)
    assert.equal(rejected, 1)
    assert.equal(JSON.parse(readFileSync(rejects, 'utf8')).line, 1)
    await using service = await startService({ DATABASE_URL: ledgerIn(folder.path) })
    assert.equal(((await totalOf(service)) as unknown[])[0] ?? 0, accepted)
  })

  test('splits requests that exceed a limit of the service, and rejects a single message that does', async () => {
    using folder = temporaryFolder()
    const DATABASE_URL = ledgerIn(folder.path)
    const rejects = join(folder.path, 'rejects.ndjson')
    await using service = await startService({ DATABASE_URL, INTAKE_MAX_BYTES: '8KiB', INTAKE_MAX_BATCH: '7' })
    const file = join(folder.path, 'a.ndjson')
    const large = JSON.stringify({ id: 'large', text: SECRET.repeat(1000), timestamp: T })
    writeFileSync(file, `${linesOf(30)}${large}\n${linesOf(300)}`)
    const { out, err, code } = await runWith({})(['import', file, '--url', service.url, '--json', '--rejects', rejects])
    assert.equal(code, 1)
    assert.deepEqual(JSON.parse(out), { accepted: 300, duplicate: 30, conflict: 0, rejected: 1 }, err)
    assert.match(err, /line 31 \(id "large"\): exceeds the service's limit/)
    assert.doesNotMatch(`${err}${readFileSync(rejects, 'utf8')}`, /secret|4711/)
  })

  test('rejects a file of reports with an ambiguous price before setting any', async () => {
    using folder = temporaryFolder()
    const DATABASE_URL = ledgerIn(folder.path)
    await using service = await startService({ DATABASE_URL })
    const run = runWith({ DATABASE_URL })
    const messages = join(folder.path, 'a.ndjson')
    writeFileSync(messages, linesOf(1))
    const reports = join(folder.path, 'reports.json')
    const first = '{"id":5,"name":"Five","credit_cost":5}'
    for (const [content, said] of [
      [`{"reports":[${first},{"name":"None","credit_cost":5}]}`, /id of a report must be an integer/],
      [`{"reports":[${first},null]}`, /a report must be an object/],
      [`[${first},\n{"id":9007199254740993,"name":"Rounded","credit_cost":5}]`, /line 2: id of a report must be/],
      [`[${first},{"id":6,"name":"Text","credit_cost":"5"}]`, /credit_cost of a report must be a number/],
      [
        `[${first},{"id":6,"name":"Rounded","credit_cost":5.00000000000000000001}]`,
        /credit_cost of a report has more digits than a 64-bit float can hold/,
      ],
      [`[${first},{"id":6,"name":"Less","credit_cost":-1}]`, /credit_cost of a report must be a number from 0/],
      [`[${first},{"id":6,"name":"Fine","credit_cost":0.0000001}]`, /credit_cost of a report must be .* six decimals/],
      [`[${first},{"id":6,"name":"","credit_cost":1}]`, /name of a report must be a string of 1/],
      [`[${first},{"id":6,"name":"Twice","credit_cost":1,"credit_cost":2}]`, /credit_cost appears twice/],
      [`[${first},\n{"id":"5","name":"Again","credit_cost":6}]`, /line 2: report 5 appears twice/],
      [`{"reports":{"5":${first}}}`, /"reports" must be an array/],
      [`{"reports":[${first}`, /cut off/],
      ['{"reports":[]}', /contains no reports/],
    ] as const) {
      writeFileSync(reports, content)
      const { err, code } = await run(['import', messages, '--reports', reports, '--rejects', join(folder.path, 'r')])
      assert.equal(code, 1, content)
      assert.match(err, said)
      assert.match(err, /^copilot-credits: [^\n]+\n$/)
    }
    assert.equal((await fetch(`${service.url}/v1/reports/5`)).status, 404, 'none was set')
  })

  test('an unknown header row is one error; --column and --ignore-column map it', async () => {
    using folder = temporaryFolder()
    const run = runWith({ DATABASE_URL: ledgerIn(folder.path) })
    const rejects = ['--rejects', join(folder.path, 'rejects.ndjson')]
    const file = join(folder.path, 'litellm.csv')
    writeFileSync(file, Buffer.from(`request_id;startTime;prompt;spend\r\nr1;${T};R\xe9sum\xe9;0.5\r\n`, 'latin1'))
    const refused = await run(['import', file, ...rejects])
    assert.equal(refused.code, 1)
    assert.equal(refused.err.match(/litellm/g)?.length, 1)
    const means = ['--column', 'id=request_id', '--column', 'text=prompt', '--column', 'timestamp=startTime']
    const { out, err, code } = await run([
      'import',
      file,
      ...means,
      '--ignore-column',
      'spend',
      '--encoding',
      'windows-1252',
      '--json',
      ...rejects,
    ])
    assert.deepEqual([code, JSON.parse(out || '{}').accepted], [0, 1], err)
    for (const wrong of [
      ['--encoding', 'cp850'],
      ['--column', 'prompt=text'],
      ['--column', 'text'],
    ]) {
      assert.equal((await run(['import', file, ...wrong, ...rejects])).code, 2)
    }
  })
})
