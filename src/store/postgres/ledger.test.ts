import { after, before } from 'node:test'
import { ledgerContract } from '../../../test/ledger-contract.ts'
import { openPostgresLedger, type PostgresServer, startPostgres } from '../../../test/postgres-server.ts'

let server: PostgresServer
before(async () => {
  server = await startPostgres()
})
after(() => server[Symbol.asyncDispose]())

ledgerContract('PostgreSQL', async (options) => openPostgresLedger(await server.createDatabase(), options))

// With the function that a Citus cluster uses.
ledgerContract('PostgreSQL, appending by the function', async (options) =>
  openPostgresLedger(await server.createDatabase(), { ...options, appendsBy: 'function' }),
)
