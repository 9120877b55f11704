/** The same contract behind a pooler that assigns a session per transaction. */
import { after, before, test } from 'node:test'
import { ledgerContract } from '../../../test/ledger-contract.ts'
import { type PgBouncer, startPgBouncer, withoutPgBouncer } from '../../../test/pgbouncer.ts'
import { openPostgresLedger, type PostgresServer, startPostgres } from '../../../test/postgres-server.ts'

if (withoutPgBouncer === false) {
  let server: PostgresServer
  let pooler: PgBouncer
  before(async () => {
    server = await startPostgres()
    pooler = await startPgBouncer(await server.createDatabase(), 'transaction')
  })
  after(async () => {
    await pooler[Symbol.asyncDispose]()
    await server[Symbol.asyncDispose]()
  })
  ledgerContract('PostgreSQL behind PgBouncer with transaction pooling', async (options) =>
    openPostgresLedger(pooler.behind(await server.createDatabase()), options),
  )
} else {
  test('the ledger in PostgreSQL behind PgBouncer', { skip: withoutPgBouncer }, () => {})
}
