/** The server as a process: start, refusal to start, and shutdown. */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { Agent, createServer, get } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { send, startCopilot } from './harness.ts'

const root = join(import.meta.dirname, '..')

type Process = AsyncDisposable & {
  readonly child: ChildProcess
  readonly output: () => string
  /** Resolves to the match once the output has one. */
  readonly says: (pattern: RegExp) => Promise<RegExpExecArray>
  readonly exit: Promise<readonly [number | null, NodeJS.Signals | null]>
}

const startServer = (args: readonly string[], environment: Record<string, string> = {}): Process => {
  const folder = mkdtempSync(join(tmpdir(), 'copilot-credits-server-'))
  const child = spawn(process.execPath, ['bin/copilot-credits.js', 'serve', ...args], {
    cwd: root,
    env: { PATH: process.env['PATH'], DATABASE_URL: `sqlite:${join(folder, 'ledger.db')}`, ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  const waiting = new Set<() => void>()
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('data', (bytes) => {
      output += bytes
      for (const check of waiting) check()
    })
  }
  const exit = once(child, 'exit') as Promise<[number | null, NodeJS.Signals | null]>
  return {
    child,
    output: () => output,
    exit,
    says: (pattern) =>
      new Promise((resolve, reject) => {
        const check = (): void => {
          const match = pattern.exec(output)
          if (match !== null) resolve(match)
        }
        waiting.add(check)
        check()
        exit.then(() => reject(new Error(`exited without printing ${pattern}: ${output}`)))
      }),
    [Symbol.asyncDispose]: async () => {
      child.kill('SIGKILL')
      await exit
      rmSync(folder, { recursive: true })
    },
  }
}

const urlOf = async (server: Process): Promise<string> => (await server.says(/serving on (http:\/\/[\d.:]+)/))[1] ?? ''

describe('the server process', () => {
  test('listens on --port in preference to PORT and logs what it serves', async () => {
    await using server = startServer(['--port', '0'], { PORT: 'not read' })
    const url = await urlOf(server)
    await server.says(/bundled sample period/)
    assert.equal((await fetch(`${url}/usage`)).status, 200)
    await server.says(/"path":"\/usage","status":200/)
  })

  test('rejects an invalid setting or option with exit code 2', async () => {
    for (const [args, environment, line] of [
      [[], { PORT: 'http' }, 'copilot-credits: PORT must be a whole number from 0 to 65535, not "http"\n'],
      [
        [],
        { UPSTREAM_MAX_AGE: '1 s' },
        'copilot-credits: UPSTREAM_MAX_AGE must be a duration from 0 to 24h, such as 500ms, 10s or 5min, not "1 s"\n',
      ],
      [['--prot', '1'], {}, /^copilot-credits: unknown option '--prot'/],
    ] as const) {
      await using server = startServer(args, environment)
      assert.deepEqual(await server.exit, [2, null])
      if (typeof line === 'string') assert.equal(server.output(), line)
      else assert.match(server.output(), line)
    }
  })

  test('logs a port in use and exits with 1', async () => {
    const taken = createServer().listen(0, '127.0.0.1')
    await once(taken, 'listening')
    await using server = startServer(['--port', String((taken.address() as AddressInfo).port)])
    assert.deepEqual(await server.exit, [1, null])
    assert.match(server.output(), /cannot listen on 127\.0\.0\.1:\d+: .*EADDRINUSE/)
    taken.close()
  })

  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    test(`${signal} finishes in-flight requests, then exits with 0`, async () => {
      const answers: (() => void)[] = []
      await using upstream = await startCopilot({
        listing: (_, response) => answers.push(() => send(response, 200, { messages: [] })),
      })
      await using server = startServer(['--port', '0'], { UPSTREAM_URL: upstream.url })
      const url = await urlOf(server)
      const inFlight = fetch(`${url}/usage`)
      while (answers.length === 0) await new Promise((resolve) => setImmediate(resolve))
      server.child.kill(signal)
      await server.says(/shutting down: finishing/)
      while (await accepts(url)) await new Promise((resolve) => setImmediate(resolve))
      answers[0]?.()
      assert.equal(await (await inFlight).text(), '{"usage":[]}')
      assert.deepEqual(await server.exit, [0, null])
    })
  }

  for (const client of ['keeps sending', 'is silent', 'does not read its response'] as const) {
    test(`SIGTERM promptly ends a stream of messages whose client ${client}`, async () => {
      // Longer than the time limit of the test.
      await using server = startServer(['--port', '0'], { SHUTDOWN_TIMEOUT: '10min', LOG_LEVEL: 'debug' })
      const url = await urlOf(server)
      const socket = connect(Number(new URL(url).port), '127.0.0.1').on('error', () => {})
      const ended = new Promise<void>((resolve) => socket.on('close', () => resolve()))
      let answer = ''
      const reads = (count: number): Promise<void> =>
        new Promise((resolve) => {
          const read = (bytes: Buffer): void => {
            answer += bytes
            if (answer.split('"status":"accepted"').length > count) resolve()
          }
          socket.on('data', read)
        })
      let id = 0
      const batchOf = (size: number): string => {
        const timestamp = '2024-05-01T00:00:00Z'
        const lines = Array.from(
          { length: size },
          () => `${JSON.stringify({ id: `m${id++}`, text: 'x', timestamp })}\n`,
        )
        const text = lines.join('')
        return `${text.length.toString(16)}\r\n${text}\r\n`
      }
      socket.write(
        'POST /v1/messages HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n',
      )
      socket.write(batchOf(3))
      await reads(3)
      let isSending = client !== 'is silent'
      socket.on('close', () => {
        isSending = false
      })
      const sendOn = (): void => {
        while (isSending && socket.write(batchOf(100)));
      }
      socket.on('drain', sendOn)
      if (client === 'does not read its response') {
        socket.pause()
        // Until both directions are stuck.
        let before = -1
        sendOn()
        while (before !== socket.bytesWritten) {
          before = socket.bytesWritten
          const { promise, resolve } = Promise.withResolvers<void>()
          socket.once('drain', resolve)
          setTimeout(resolve, 500)
          await promise
        }
      } else sendOn()
      server.child.kill('SIGTERM')
      assert.deepEqual(await server.exit, [0, null])
      assert.doesNotMatch(server.output(), /stopped with requests in flight/)
      socket.resume()
      await ended
      if (client === 'does not read its response') return
      const lines = answer.split('\r\n').flatMap((part) => part.split('\n'))
      const last = JSON.parse(lines.findLast((line) => line.startsWith('{')) ?? '')
      assert.equal(last.done, false)
      assert.equal(last.accepted, answer.split('"status":"accepted"').length - 1, 'counts the results that were sent')
      assert.equal(last.problem.type, 'urn:copilot-credits:problem:shutting-down')
      assert.match(last.problem.detail, /send everything else again/)
      assert.ok(answer.endsWith('\r\n0\r\n\r\n'), 'the response is complete')
    })
  }

  const keys = 'POST /v1/keys HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n'
  const messages = 'POST /v1/messages HTTP/1.1\r\nHost: localhost\r\n'
  for (const [what, head, answered] of [
    ['the head', 'POST /v1/keys HTTP/1.1\r\nHost: loc', /^$/],
    ['the body', `${keys}Content-Length: 500\r\n\r\n{"sco`, /^HTTP\/1\.1 503 .*problem:shutting-down.*Send it again/s],
    [
      'a compressed stream',
      `${messages}Content-Type: application/x-ndjson\r\nContent-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n`,
      /^HTTP\/1\.1 503 .*problem:shutting-down/s,
    ],
  ] as const) {
    test(`SIGTERM does not wait for ${what} of a stalled request`, async () => {
      await using server = startServer(['--port', '0'], { SHUTDOWN_TIMEOUT: '10min' })
      const url = await urlOf(server)
      const socket = connect(Number(new URL(url).port), '127.0.0.1').on('error', () => {})
      let answer = ''
      socket.on('data', (bytes) => {
        answer += bytes
      })
      const closed = once(socket, 'close')
      await new Promise((resolve) => socket.write(head, resolve))
      // Connections are served in order, so the server has read the bytes above.
      await (await fetch(`${url}/healthz`)).text()
      server.child.kill('SIGTERM')
      assert.deepEqual(await server.exit, [0, null])
      await closed
      assert.match(answer, answered)
    })
  }

  test('SIGTERM does not wait for a client that stopped reading its response', async () => {
    await using server = startServer(['--port', '0'], { SHUTDOWN_TIMEOUT: '10min' })
    const url = await urlOf(server)
    const idOf = (index: number) => `${'m'.repeat(190)}${index}`
    const line = (index: number) => `{"id":"${idOf(index)}","text":"x","timestamp":"${new Date().toISOString()}"}\n`
    const body = Array.from({ length: 60_000 }, (_, index) => line(index)).join('')
    const headers = { 'content-type': 'application/x-ndjson', prefer: 'return=minimal' }
    await (await fetch(`${url}/v1/messages`, { method: 'POST', headers, body })).text()
    const socket = connect(Number(new URL(url).port), '127.0.0.1').on('error', () => {})
    socket.write('GET /usage HTTP/1.1\r\nHost: localhost\r\n\r\n')
    await once(socket, 'readable')
    server.child.kill('SIGTERM')
    assert.deepEqual(await server.exit, [0, null])
    socket.destroy()
  })

  test('keeps idle connections longer than load balancers do and closes them at shutdown', async () => {
    await using server = startServer(['--port', '0'])
    const url = await urlOf(server)
    const agent = new Agent({ keepAlive: true })
    for (const path of ['/usage', '/healthz']) {
      const [response] = await once(get(`${url}${path}`, { agent }), 'response')
      assert.equal(response.headers['keep-alive'], 'timeout=75')
      await once(response.resume(), 'end')
    }
    server.child.kill('SIGTERM')
    assert.deepEqual(await server.exit, [0, null])
    agent.destroy()

    await using hasty = startServer(['--port', '0'], { KEEP_ALIVE_TIMEOUT: '100ms' })
    const socket = connect(Number(new URL(await urlOf(hasty)).port), '127.0.0.1')
    socket.write('GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n')
    await once(socket.resume(), 'end')
  })

  test('SIGTERM resets no connection that keeps sending requests', async () => {
    await using server = startServer(['--port', '0'])
    const url = await urlOf(server)
    const agent = new Agent({ keepAlive: true, maxSockets: 8 })
    let answers = 0
    const readers = Array.from({ length: 8 }, async () => {
      for (;;) {
        const code = await askOnce(`${url}/usage`, agent)
        if (code !== undefined) return code
        if (++answers === 500) server.child.kill('SIGTERM')
      }
    })
    assert.deepEqual(await Promise.all(readers), Array(8).fill('no new connection'))
    assert.deepEqual(await server.exit, [0, null])
  })

  test('shuts down gracefully after a signal to `npm start` has ended its shell', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'copilot-credits-server-'))
    const command = `"${process.execPath}" bin/copilot-credits.js serve --port 0; true`
    const shell = spawn('sh', ['-c', command], {
      cwd: root,
      env: {
        PATH: process.env['PATH'],
        DATABASE_URL: `sqlite:${join(folder, 'ledger.db')}`,
        npm_lifecycle_event: 'start',
      },
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    let output = ''
    for await (const bytes of shell.stdout) {
      output += bytes
      // Ends when the server, which outlives the shell, closes it.
      if (/serving on/.test(output)) shell.kill('SIGTERM')
    }
    assert.match(output, /shutting down: finishing in-flight requests/)
    assert.doesNotMatch(output, /stopped with requests in flight/)
    rmSync(folder, { recursive: true })
  })

  test('a second signal or SHUTDOWN_TIMEOUT stops the server immediately', async () => {
    await using upstream = await startCopilot({ listing: () => {} })
    const settings = { UPSTREAM_URL: upstream.url, UPSTREAM_TIMEOUT: '1min', UPSTREAM_ATTEMPT_TIMEOUT: '1min' }
    for (const [timeout, isSignalled] of [
      ['1min', true],
      ['50ms', false],
    ] as const) {
      await using server = startServer(['--port', '0'], { ...settings, SHUTDOWN_TIMEOUT: timeout })
      const url = await urlOf(server)
      const asked = upstream.asked.length
      const inFlight = fetch(`${url}/usage`).catch(() => 'broken off')
      while (upstream.asked.length === asked) await new Promise((resolve) => setImmediate(resolve))
      server.child.kill('SIGTERM')
      await server.says(/shutting down: finishing/)
      if (isSignalled) server.child.kill('SIGTERM')
      assert.deepEqual(await server.exit, [1, null])
      assert.equal(await inFlight, 'broken off')
    }
  })
})

const accepts = (url: string): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(Number(new URL(url).port), '127.0.0.1')
    socket.on('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.on('error', () => resolve(false))
  })

/** Resolves to what went wrong, if there was no response. A new connection can be refused, or reset before it is accepted. */
const askOnce = (url: string, agent: Agent): Promise<string | undefined> =>
  new Promise((resolve) => {
    const request = get(url, { agent }, (response) => {
      response.resume()
      response.on('end', () => resolve(undefined))
    })
    request.on('error', ({ code }: NodeJS.ErrnoException) => resolve(request.reusedSocket ? code : 'no new connection'))
  })
