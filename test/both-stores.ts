/** New databases in both stores, for tests that hold for each. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before } from 'node:test'
import type { Ledger } from '../src/ledger/ledger.ts'
import { createPostgresLedger } from '../src/store/postgres/ledger.ts'
import { createSqliteLedger } from '../src/store/sqlite/ledger.ts'
import { type PostgresServer, startPostgres } from './postgres-server.ts'

export type TestStore = {
  /** Resolves to the `DATABASE_URL` of a new database. */
  readonly newUrl: () => Promise<string>
  readonly openLedger: (url: string) => Promise<Ledger>
}

/**
 * Call it where a test file begins. Before its tests, it starts a PostgreSQL and makes a folder, for files of the tests too; both are
 * gone after them.
 */
export const useBothStores = () => {
  let server: PostgresServer
  let folder: string
  let databases = 0
  before(async () => {
    server = await startPostgres()
    folder = mkdtempSync(join(tmpdir(), 'copilot-credits-test-'))
  })
  after(async () => {
    rmSync(folder, { recursive: true })
    await server[Symbol.asyncDispose]()
  })
  const pathOf = (name: string): string => join(folder, name)
  const stores: Readonly<Record<string, TestStore>> = {
    SQLite: {
      newUrl: async () => `${SQLITE}${pathOf(`${databases++}.db`)}`,
      openLedger: (url) => createSqliteLedger({ path: url.slice(SQLITE.length) }),
    },
    PostgreSQL: {
      newUrl: () => server.createDatabase(),
      openLedger: (url) => createPostgresLedger({ url, poolSize: 2 }),
    },
  }
  return { stores, pathOf }
}

const SQLITE = 'sqlite:'
