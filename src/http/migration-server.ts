/**
 * Answers while the database is being migrated: alive, but not ready. The application needs the database, so it is put together
 * afterwards and takes over the port.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { MigrationObserver } from '#ledger/notices.ts'
import { requestIdOf } from './request-id.ts'
import { PROBLEM_JSON, toProblem } from './schemas/problem.ts'
import { pathOf } from './server.ts'

export type MigrationServer = {
  /** Starts to listen with the first call. */
  readonly tell: MigrationObserver
  /** Resolves once the port is free. */
  readonly close: () => Promise<void>
}

export const createMigrationServer = (address: { readonly host: string; readonly port: number }): MigrationServer => {
  let server: Server | undefined
  let detail = ''
  return {
    tell: (progress) => {
      detail = progress
      server ??= createServer((request, response) => answer(request, response, detail))
        // The application will try the same port, and say what is wrong with it.
        .on('error', () => server?.close())
        .listen(address)
    },
    close: async () => {
      if (server?.listening !== true) return
      const timer = setTimeout(() => server?.closeAllConnections(), CLOSING_MAX_MS)
      await new Promise((resolve) => server?.close(resolve))
      clearTimeout(timer)
    },
  }
}

const answer = (request: IncomingMessage, response: ServerResponse, detail: string): void => {
  const id = requestIdOf(request)
  const isHealth = pathOf(request.url ?? '') === '/healthz'
  const body = isHealth ? { status: 'alive' } : toProblem('not-ready', detail, id)
  response.writeHead(isHealth ? 200 : 503, {
    'content-type': isHealth ? 'application/json; charset=utf-8' : PROBLEM_JSON,
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    'x-request-id': id,
    connection: 'close',
    ...(!isHealth && { 'retry-after': RETRY_AFTER_S }),
  })
  response.end(JSON.stringify(body))
  request.resume()
}

const RETRY_AFTER_S = '5'
/** A request that is still arriving must not hold the port. */
const CLOSING_MAX_MS = 200
