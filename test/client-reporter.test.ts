/** The reporter of the client: calls of the AI SDK charged in the background, whatever happens to the service. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { promisify } from 'node:util'
import { embedMany, generateObject, generateText, isStepCount, jsonSchema, streamText, tool } from 'ai'
import * as ai6 from 'ai-6'
import { MockLanguageModelV3 } from 'ai-6/test'
import {
  type Client,
  createReporter,
  type DetailedUsageLine,
  type Message,
  type Reporter,
  type ReporterOptions,
  type ReportProblem,
} from '../client/src/index.ts'
import { type Running, startService, startUpstream } from './harness.ts'
import {
  CACHED,
  CACHED_CREDITS,
  CANARY,
  calling,
  EMBEDDING_CREDITS,
  embeddingModel,
  meteringClient,
  modelOf,
  PLAIN,
  PLAIN_CREDITS,
  spoken,
} from './model-calls.ts'

const run = promisify(execFile)
const prompt = CANARY
const search = tool({ inputSchema: jsonSchema<{ query: string }>({ type: 'object' }), execute: async () => CANARY })
const twoSteps = () => ({
  model: modelOf(calling(CACHED), spoken(PLAIN)),
  prompt,
  tools: { search },
  stopWhen: isStepCount(3),
})

/** A reporter that sends soon, and what it told. */
const listening = (options: ReporterOptions) => {
  const problems: ReportProblem[] = []
  const { promise: firstProblem, resolve } = Promise.withResolvers<void>()
  const onProblem = (problem: ReportProblem): void => {
    problems.push(problem)
    resolve()
  }
  const reporter = createReporter({ waitMs: 5, flushMs: 20_000, onProblem, ...options })
  return { reporter, problems, firstProblem, kinds: () => problems.map(({ kind }) => kind) }
}

const messageOf = (id: string, more: Partial<Message> = {}): Message => ({
  id,
  timestamp: new Date().toISOString(),
  model: 'gpt-5.4',
  usage: { input_tokens: 1600, output_tokens: 100 },
  ...more,
})

let service: Running
let client: Client
before(async () => {
  // Each reporter of these tests waits for the end of the process.
  process.setMaxListeners(50)
  service = await startService({})
  client = await meteringClient(service)
})
after(() => service[Symbol.asyncDispose]())

const linesOf = (user: string): Promise<readonly DetailedUsageLine[]> =>
  Array.fromAsync(client.usage({ user_id: user }))
const creditsOf = async (user: string): Promise<readonly (number | undefined)[]> =>
  (await linesOf(user)).map((line) => line.credits_used).toSorted()

describe('the integration for the AI SDK', { concurrency: true }, () => {
  test('charges each call of a model once, with its own usage and the model that answered', async () => {
    const { reporter, kinds } = listening({ baseUrl: service.url })
    const telemetry = { integrations: reporter.telemetry({ user_id: 'ada', team_id: 'research' }) }
    let searched = 0
    const execute = async (): Promise<string> => {
      searched = Date.now()
      while (Date.now() < searched + 3);
      return CANARY
    }
    await generateText({ ...twoSteps(), tools: { search: tool({ ...search, execute }) }, telemetry })
    const both = [CACHED_CREDITS, PLAIN_CREDITS]
    assert.deepEqual([(await reporter.flush()).delivered, await creditsOf('ada')], [2, both])
    assert.deepEqual(
      (await linesOf('ada')).map(({ model, team_id, message_id }) => [
        model,
        team_id,
        String(message_id).split(':')[1],
      ]),
      [
        ['gpt-5.4', 'research', '0'],
        ['gpt-5.4', 'research', '1'],
      ],
    )

    const instants = (await linesOf('ada')).map(({ timestamp }) => Date.parse(timestamp))
    assert.ok(Number(instants[0]) <= searched && Number(instants[1]) > searched, 'a call ends before its tools run')

    await streamText({ ...twoSteps(), telemetry }).consumeStream()
    await embedMany({ model: embeddingModel(), values: [CANARY, CANARY, CANARY], telemetry })
    const schema = jsonSchema<object>({ type: 'object' })
    // A call whose answer is of no use was a call.
    await assert.rejects(generateObject({ model: modelOf(spoken(PLAIN, 'no JSON')), schema, prompt, telemetry }))
    const { withoutUsage, ...counts } = await reporter.flush()
    assert.deepEqual(counts, { queued: 0, delivered: 7, dropped: 0, rejected: 0, conflicts: 0 })
    assert.deepEqual([withoutUsage, kinds()], [0, []])
    const expected = [...both, ...both, PLAIN_CREDITS, EMBEDDING_CREDITS, EMBEDDING_CREDITS].toSorted()
    assert.deepEqual(await creditsOf('ada'), expected)
  })

  test('asks whose call it is where the operation starts', async () => {
    const { reporter, problems } = listening({ baseUrl: service.url })
    const asked: unknown[] = []
    const integrations = reporter.telemetry((operation) => {
      asked.push(operation)
      const { user } = operation.context
      if (typeof user !== 'string') throw new Error('Whose?')
      return { user_id: user, team_id: undefined, attributes: { feature: operation.functionId ?? '' } }
    })
    const telemetry = { integrations, functionId: 'titles', includeRuntimeContext: { user: true } }
    await generateText({ ...twoSteps(), telemetry, runtimeContext: { user: 'ben', secret: CANARY } })
    assert.deepEqual(asked, [{ functionId: 'titles', context: { user: 'ben' } }])
    await generateText({ model: modelOf(spoken(PLAIN)), prompt, telemetry: { integrations } })
    assert.equal((await reporter.flush()).delivered, 3)
    assert.deepEqual(await creditsOf('ben'), [CACHED_CREDITS, PLAIN_CREDITS])
    assert.deepEqual(new Set((await linesOf('ben')).map(({ feature }) => feature)), new Set(['titles']))
    assert.deepEqual(
      problems.map(({ kind, cause }) => [kind, String(cause)]),
      [['no-fields', 'Error: Whose?']],
    )
  })

  test('charges a call whose step never ends, and tells of one whose usage stays unknown', async () => {
    const { reporter, kinds } = listening({ baseUrl: service.url })
    const telemetry = { integrations: reporter.telemetry({ user_id: 'cleo' }) }
    const strict = { model: modelOf(spoken(CACHED)), prompt, tools: { search }, toolChoice: 'required' as const }
    await assert.rejects(generateText({ ...strict, telemetry }))
    assert.equal((await reporter.flush()).delivered, 1)
    assert.deepEqual(await creditsOf('cleo'), [CACHED_CREDITS])

    await generateText({ model: modelOf(spoken()), prompt, telemetry })
    const aborted = new AbortController()
    const stream = streamText({ model: modelOf(spoken(PLAIN)), prompt, abortSignal: aborted.signal, telemetry })
    for await (const _ of stream.textStream) aborted.abort()
    const { delivered, withoutUsage } = await reporter.flush()
    assert.deepEqual([delivered, withoutUsage, kinds()], [1, 2, ['no-usage', 'no-usage']])
  })

  test('charges each step of version 6', async () => {
    const { reporter } = listening({ baseUrl: service.url })
    // Version 6 has a type of its own for the provider's usage.
    const [{ raw: _, ...cached }, { raw: __, ...plain }] = [CACHED, PLAIN]
    const common = { response: { id: 'resp', modelId: 'gpt-5.4', timestamp: new Date(0) }, warnings: [] }
    const model = new MockLanguageModelV3({
      doGenerate: [
        {
          ...common,
          usage: cached,
          finishReason: { unified: 'tool-calls', raw: undefined },
          content: [{ type: 'tool-call', toolCallId: 'call-1', toolName: 'search', input: '{}' }],
        },
        {
          ...common,
          usage: plain,
          finishReason: { unified: 'stop', raw: undefined },
          content: [{ type: 'text', text: CANARY }],
        },
      ],
    })
    const integrations = reporter.telemetry(({ context }) => ({ user_id: String(context['user']) }))
    await ai6.generateText({
      model,
      prompt,
      tools: { search: ai6.tool({ inputSchema: ai6.jsonSchema({ type: 'object' }), execute: async () => CANARY }) },
      stopWhen: ai6.stepCountIs(3),
      experimental_telemetry: { isEnabled: true, integrations: [integrations], metadata: { user: 'dora' } },
    })
    assert.equal((await reporter.flush()).delivered, 2)
    assert.deepEqual(await creditsOf('dora'), [CACHED_CREDITS, PLAIN_CREDITS])
  })

  test('sends nothing of what was said', async () => {
    const bodies: string[] = []
    const keep: typeof fetch = (input, init) => {
      bodies.push(String(init?.body))
      return fetch(input, init)
    }
    const { reporter } = listening({ baseUrl: service.url, fetch: keep })
    const telemetry = { integrations: reporter.telemetry() }
    await generateText({ ...twoSteps(), telemetry })
    await streamText({ ...twoSteps(), telemetry }).consumeStream()
    await embedMany({ model: embeddingModel(), values: [CANARY], telemetry })
    reporter.report(await generateText({ ...twoSteps(), telemetry: { isEnabled: false } }))
    assert.equal((await reporter.flush()).delivered, 7)
    assert.ok(bodies.length > 0)
    assert.ok(!bodies.join().includes(CANARY), bodies.join())
  })
})

describe('a batch', { concurrency: true }, () => {
  /** A fetch that tells how many messages each request has. */
  const counting = (requests: number) => {
    const sizes: number[] = []
    const { promise, resolve } = Promise.withResolvers<void>()
    const request: typeof fetch = async (input, init) => {
      const response = await fetch(input, init)
      sizes.push(JSON.parse(String(init?.body)).messages.length)
      if (sizes.length === requests) resolve()
      return response
    }
    return { sizes, fetch: request, arrived: promise }
  }

  test('is sent when it is full, and the rest when it is flushed', async () => {
    const { sizes, fetch, arrived } = counting(2)
    const { reporter } = listening({ baseUrl: service.url, fetch, batchMax: 100, waitMs: 600_000 })
    for (let index = 0; index < 250; index++) reporter.add([messageOf(`full batch ${index}`, { user_id: 'lou' })])
    await arrived
    assert.deepEqual(sizes, [100, 100])
    assert.equal((await reporter.flush()).delivered, 250)
    assert.deepEqual(sizes, [100, 100, 50])
    assert.equal((await linesOf('lou')).length, 250)
  })

  test('is sent when its first message has waited long enough', async () => {
    const { sizes, fetch, arrived } = counting(1)
    const { reporter } = listening({ baseUrl: service.url, fetch, waitMs: 20 })
    for (let index = 0; index < 3; index++) reporter.add([messageOf(`waited ${index}`)])
    await arrived
    assert.deepEqual(sizes, [3])
  })
})

/** A fetch that fails in the given way until it is switched to the service. */
const switching = (failing: typeof fetch) => {
  const state = { isUp: false, failed: 0 }
  const request: typeof fetch = (input, init) => {
    if (state.isUp) return fetch(input, init)
    state.failed += 1
    return failing(input, init)
  }
  return { state, fetch: request }
}

const answering =
  (status: number, body: unknown, headers: Record<string, string> = {}): typeof fetch =>
  async () =>
    new Response(typeof body === 'string' ? body : JSON.stringify(body), { status, headers })

const problem = (status: number) => ({ type: 'x', title: 'x', status, detail: 'x', request_id: 'x' })

describe('a reporter of a service that fails', { concurrency: true }, () => {
  test('leaves the call alone, and delivers when the service is back', async () => {
    const dead = await startUpstream(() => undefined)
    await dead[Symbol.asyncDispose]()
    const silent = await startUpstream(() => undefined)
    const failures: Readonly<Record<string, typeof fetch>> = {
      down: (_, init) => fetch(dead.url, init),
      silent: (_, init) => fetch(silent.url, init),
      html: answering(200, '<html>Welcome to the hotel</html>'),
      'no results': answering(200, {}),
      'too few results': answering(200, { results: [] }),
      'no such status': answering(200, { results: [{ status: 'fine' }, null] }),
      'no rights': answering(401, problem(401)),
      broken: answering(500, problem(500)),
      thrown: () => {
        throw new Error('no fetch here')
      },
    }
    await Promise.all(
      Object.entries(failures).map(async ([name, failing]) => {
        const { state, fetch } = switching(failing)
        const { reporter, problems, firstProblem } = listening({ baseUrl: service.url, fetch, timeoutMs: 200 })
        const user_id = `through ${name}`
        const telemetry = { integrations: reporter.telemetry({ user_id }) }
        const { text } = await generateText({ ...twoSteps(), telemetry })
        assert.equal(text, CANARY)
        await firstProblem
        assert.equal(problems[0]?.kind, 'delayed', name)
        assert.equal(reporter.counts().queued, 2)
        state.isUp = true
        const { queued, delivered } = await reporter.flush()
        assert.deepEqual([queued, delivered], [0, 2], name)
        assert.deepEqual(await creditsOf(user_id), [CACHED_CREDITS, PLAIN_CREDITS], name)
      }),
    )
    await silent[Symbol.asyncDispose]()
  })

  test('charges a message once if the answer to it was lost', async () => {
    let isLost = false
    const losing: typeof fetch = async (input, init) => {
      const response = await fetch(input, init)
      if (isLost) return response
      isLost = true
      throw new TypeError('The connection was closed.')
    }
    const { reporter } = listening({ baseUrl: service.url, fetch: losing })
    reporter.add([messageOf('lost', { user_id: 'eve' })])
    const { delivered } = await reporter.flush()
    assert.deepEqual([delivered, await creditsOf('eve')], [1, [PLAIN_CREDITS]])
  })

  test('waits as long as Retry-After says, also of a proxy and while it is flushed', async () => {
    for (const body of [problem(503), '<html>Busy</html>']) {
      const times: number[] = []
      const { state, fetch } = switching((...request) => {
        times.push(performance.now())
        state.isUp = true
        return answering(503, body, { 'retry-after': '1' })(...request)
      })
      const { reporter, firstProblem } = listening({ baseUrl: service.url, fetch })
      reporter.add([messageOf(`after ${typeof body}`)])
      await firstProblem
      assert.equal((await reporter.flush()).delivered, 1)
      assert.ok(performance.now() - Number(times[0]) > 990)
    }
  })

  test('keeps no more than the queue holds, and tells what it drops', async () => {
    const { state, fetch } = switching(answering(503, problem(503)))
    const { reporter, problems } = listening({ baseUrl: service.url, fetch, queueMax: 250, batchMax: 100 })
    const ids = Array.from({ length: 300 }, (_, index) => `full-${index}`)
    reporter.add(ids.slice(0, 200).map((id) => messageOf(id, { user_id: 'fay' })))
    for (const id of ids.slice(200)) reporter.add([messageOf(id, { user_id: 'fay' })])
    const dropped = problems.filter(({ kind }) => kind === 'dropped')
    assert.deepEqual(
      dropped.flatMap(({ messages }) => messages.map(({ id }) => id)),
      ids.slice(250),
    )
    assert.match(dropped[0]?.reason ?? '', /The queue has 250 messages/)
    assert.deepEqual([reporter.counts().queued, reporter.counts().dropped], [250, 50])
    state.isUp = true
    const { delivered, queued } = await reporter.flush()
    assert.deepEqual([delivered, queued, (await linesOf('fay')).length], [250, 0, 250])
  })

  test('takes more messages at once than a call has room for arguments', () => {
    const { fetch } = switching(answering(503, problem(503)))
    const { reporter } = listening({ baseUrl: service.url, fetch, queueMax: 1_000_000, flushMs: 10 })
    reporter.add(Array.from({ length: 300_000 }, () => messageOf('one of many')))
    assert.equal(reporter.counts().queued, 300_000)
  })

  test('lets no message hold up the others', async () => {
    const { reporter, problems } = listening({ baseUrl: service.url })
    const bad: Partial<Message>[] = [{ attributes: { plan: 1n as unknown as string } }, { timestamp: 'yesterday' }]
    const messages = Array.from({ length: 9 }, (_, index) => messageOf(`held-${index}`, { user_id: 'gil' }))
    reporter.add([
      ...messages.slice(0, 4),
      ...bad.map((each, index) => messageOf(`bad-${index}`, each)),
      ...messages.slice(4),
    ])
    reporter.add([messageOf('held-0', { user_id: 'gil', outcome: 'failed' })])
    const { queued, delivered, rejected, conflicts } = await reporter.flush()
    assert.deepEqual([queued, delivered, rejected, conflicts], [0, 9, 2, 1])
    const told = problems.map(({ kind, messages }) => [kind, messages[0]?.id])
    assert.deepEqual(told.toSorted(), [
      ['conflict', 'held-0'],
      ['rejected', 'bad-0'],
      ['rejected', 'bad-1'],
    ])
    assert.match(problems.find(({ messages }) => messages[0]?.id === 'bad-1')?.reason ?? '', /timestamp must be/)
    assert.equal((await linesOf('gil')).length, 9)
  })

  test('sends a request that is too large in parts', async () => {
    const sizes: number[] = []
    const narrow: typeof fetch = async (input, init) => {
      const { length } = JSON.parse(String(init?.body)).messages
      sizes.push(length)
      return length > 3 ? answering(413, problem(413))(input, init) : fetch(input, init)
    }
    const { reporter, kinds } = listening({ baseUrl: service.url, fetch: narrow })
    reporter.add(Array.from({ length: 10 }, (_, index) => messageOf(`part-${index}`, { user_id: 'hal' })))
    assert.equal((await reporter.flush()).delivered, 10)
    assert.deepEqual(sizes.slice(0, 3), [10, 5, 3])
    assert.deepEqual([kinds(), (await linesOf('hal')).length], [[], 10])
  })

  test('gives up at the end, tells what is lost, and throws nothing whatever the callback does', async () => {
    let told = 0
    const onProblem = async (): Promise<void> => {
      told += 1
      throw new Error('The callback is broken.')
    }
    const { fetch } = switching((_, init) => {
      const { promise, reject } = Promise.withResolvers<Response>()
      init?.signal?.addEventListener('abort', () => reject(init.signal?.reason))
      return promise
    })
    const begin = performance.now()
    let kept: Reporter | undefined
    {
      await using reporter = createReporter({ baseUrl: service.url, fetch, flushMs: 100, onProblem })
      reporter.add([messageOf('never')])
      reporter.report({})
      kept = reporter
    }
    assert.ok(performance.now() - begin < 5000)
    const { queued, dropped, withoutUsage } = kept.counts()
    assert.deepEqual([queued, dropped, withoutUsage, told], [0, 1, 1, 2])
  })

  test('is refused if its options cannot work', () => {
    const baseUrl = service.url
    assert.throws(() => createReporter({ baseUrl: 'nonsense' }), TypeError)
    assert.throws(() => createReporter({ baseUrl, key: 'a\nb' }), TypeError)
    for (const wrong of [
      { batchMax: 0 },
      { queueMax: 1.5 },
      { waitMs: -1 },
      { flushMs: Number.NaN },
      { timeoutMs: 0 },
    ]) {
      assert.throws(() => createReporter({ baseUrl, ...wrong }), RangeError, JSON.stringify(wrong))
    }
  })
})

describe('a program that ends', { concurrency: true }, () => {
  const program = (baseUrl: string, user: string): string => `
    import { generateText, registerTelemetry } from 'ai'
    import { createReporter } from './client/src/index.ts'
    import { modelOf, PLAIN, spoken } from './test/model-calls.ts'
    const onProblem = ({ kind, messages }) => console.log(kind, messages.length)
    const reporter = createReporter({ baseUrl: '${baseUrl}', flushMs: 1000, waitMs: 60_000, onProblem })
    registerTelemetry(reporter.telemetry({ user_id: '${user}' }))
    const { text } = await generateText({ model: modelOf(spoken(PLAIN, 'Hello')), prompt: 'Hi' })
    console.log(text)
  `
  const runProgram = async (text: string): Promise<readonly string[]> => {
    const options = { cwd: join(import.meta.dirname, '..'), timeout: 60_000 }
    const { stdout } = await run(process.execPath, ['--input-type=module', '--eval', text], options)
    return stdout.trim().split('\n')
  }

  test('delivers what it has reported before it exits', async () => {
    assert.deepEqual(await runProgram(program(service.url, 'ida')), ['Hello'])
    assert.deepEqual(await creditsOf('ida'), [PLAIN_CREDITS])
  })

  test('exits soon if the service is down, and says what is lost', async () => {
    const dead = await startUpstream(() => undefined)
    await dead[Symbol.asyncDispose]()
    const said = await runProgram(`${program(dead.url, 'jan')}
      const begin = performance.now()
      process.on('exit', () => console.log(performance.now() - begin < 5000))`)
    assert.deepEqual([said[0], ...said.slice(-2)], ['Hello', 'dropped 1', 'true'])
    assert.ok(said.slice(1, -2).every((line) => line === 'delayed 1'))
  })

  test('works without a global `process`, and where timers are numbers, as in a browser', async () => {
    const said = await runProgram(`
      import { createReporter } from './client/src/index.ts'
      const { process, setTimeout } = globalThis
      globalThis.process = undefined
      const reporter = createReporter({ baseUrl: '${service.url}' })
      globalThis.process = process
      globalThis.setTimeout = (...words) => Number(setTimeout(...words))
      reporter.add([${JSON.stringify(messageOf('elsewhere', { user_id: 'kim' }))}])
      globalThis.setTimeout = setTimeout
      console.log((await reporter.flush()).delivered)`)
    assert.deepEqual(said, ['1'])
    assert.deepEqual(await creditsOf('kim'), [PLAIN_CREDITS])
  })
})
