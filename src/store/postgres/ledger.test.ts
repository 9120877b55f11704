import { after, before } from 'node:test'
import type { Ledger } from '#metering/ledger.ts'
import { ledgerContract } from '../../../test/ledger-contract.ts'
import { type PostgresServer, startPostgres } from '../../../test/postgres-server.ts'
import { createPostgresLedger } from './ledger.ts'

let server: PostgresServer
before(async () => {
  server = await startPostgres()
})
after(() => server[Symbol.asyncDispose]())

ledgerContract('PostgreSQL', async () => {
  const url = await server.createDatabase()
  const ledgers: Ledger[] = [await createPostgresLedger({ url, poolSize: 4 })]
  return {
    ledger: ledgers[0] as Ledger,
    another: async () => {
      const ledger = await createPostgresLedger({ url, poolSize: 4 })
      ledgers.push(ledger)
      return ledger
    },
    [Symbol.asyncDispose]: async () => {
      for (const ledger of ledgers) await ledger.close()
    },
  }
})
