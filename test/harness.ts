/** Real servers for whole-service tests: the service, and an upstream that a test controls. */
import assert from 'node:assert/strict'

import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Environment, readConfig } from '../src/config.ts'
import { createLog } from '../src/log.ts'
import { openApp } from '../src/main.ts'
import { holdToContract } from './wire-contract.ts'

export type StandIn = AsyncDisposable & {
  readonly url: string
  /** Requested paths, in order. */
  readonly asked: string[]
}

/** An HTTP server on a free loopback port. */
export const startUpstream = async (listener: RequestListener): Promise<StandIn> => {
  const asked: string[] = []
  const server = createServer((request, response) => {
    asked.push(request.url ?? '')
    listener(request, response)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: urlOf(server.address() as AddressInfo),
    asked,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections()
      server.close()
    },
  }
}

export type Answers = {
  readonly listing?: (request: IncomingMessage, response: ServerResponse, time: number) => void
  readonly report?: (id: string, request: IncomingMessage, response: ServerResponse, time: number) => void
}

/** An upstream with a function per endpoint, which gets the number of earlier calls. */
export const startCopilot = ({ listing = sendListing([]), report = sendMissing }: Answers): Promise<StandIn> => {
  const times = new Map<string, number>()
  return startUpstream((request, response) => {
    const path = request.url ?? ''
    const time = times.get(path) ?? 0
    times.set(path, time + 1)
    const [, id] = /^\/reports\/(.+)$/.exec(path) ?? []
    if (id !== undefined) report(decodeURIComponent(id), request, response, time)
    else if (path === '/messages/current-period') listing(request, response, time)
    else response.writeHead(404).end()
  })
}

export const send = (
  response: ServerResponse,
  status: number,
  body: unknown,
  headers: Record<string, string> = {},
): void => {
  const text = typeof body === 'string' ? body : JSON.stringify(body)
  response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(text)
}

export const sendListing =
  (messages: readonly unknown[]) =>
  (_: IncomingMessage, response: ServerResponse): void =>
    send(response, 200, { messages })

/** 404 as the real service sends it, in XML. */
export const sendMissing = (_id: string, _: IncomingMessage, response: ServerResponse): void =>
  send(response, 404, '<?xml version="1.0"?><Error><Code>NoSuchReport</Code></Error>', {
    'content-type': 'application/xml',
  })

export type Running = AsyncDisposable & {
  readonly url: string
  /** All log lines. */
  readonly logged: () => string
  /** The value of a metric, by its name and labels in Prometheus format. */
  readonly metric: (name: string) => Promise<number | undefined>
}

/** The service on a free port, in this process. */
export const startService = async (environment: Environment): Promise<Running> => {
  const folder = mkdtempSync(join(tmpdir(), 'copilot-credits-test-'))
  const config = readConfig({ ...QUICK, DATABASE_URL: `sqlite:${join(folder, 'ledger.db')}`, ...environment })
  const lines: string[] = []
  const log = createLog({ logLevel: 'trace', logFormat: 'json' }, { write: (text) => lines.push(text) })
  const { app, service, metrics } = await openApp(config, log)
  const contract = holdToContract(app.server)
  await app.listen({ port: 0, host: '127.0.0.1' })
  return {
    url: urlOf(app.server.address() as AddressInfo),
    logged: () => {
      log.flush()
      return lines.join('')
    },
    metric: async (name) => {
      const line = (await metrics.text()).split('\n').find((each) => each.startsWith(`${name} `))
      return line === undefined ? undefined : Number(line.slice(name.length + 1))
    },
    [Symbol.asyncDispose]: async () => {
      app.server.closeAllConnections()
      await app.close()
      await service.close()
      rmSync(folder, { recursive: true })
      assert.deepEqual(contract.violations, [], 'every response is as openapi.json says')
    },
  }
}

/** Timeouts short enough for tests to wait for them. Every request asks the upstream. */
const QUICK = {
  UPSTREAM_MAX_AGE: '0',
  UPSTREAM_ATTEMPT_TIMEOUT: '300ms',
  UPSTREAM_TIMEOUT: '2s',
  UPSTREAM_ATTEMPTS: '3',
}

const urlOf = ({ port }: AddressInfo): string => `http://127.0.0.1:${port}`

/** Resolves to the body, which must be that of a success. */
export const callService = async (
  { url }: Pick<Running, 'url'>,
  method: string,
  path: string,
  body?: unknown,
): Promise<unknown> => {
  const response = await fetch(`${url}${path}`, {
    method,
    ...(body !== undefined && { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
  })
  assert.ok(response.ok, `${method} ${path}: ${response.status} ${await response.clone().text()}`)
  return response.json()
}
