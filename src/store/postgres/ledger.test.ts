import { after, before, test } from 'node:test'
import type { Ledger } from '#metering/ledger.ts'
import { ledgerContract } from '../../../test/ledger-contract.ts'
import { type PgBouncer, startPgBouncer, withoutPgBouncer } from '../../../test/pgbouncer.ts'
import { type PostgresServer, startPostgres } from '../../../test/postgres-server.ts'
import { createPostgresLedger } from './ledger.ts'

let server: PostgresServer
let pooler: PgBouncer | undefined
before(async () => {
  server = await startPostgres()
  if (withoutPgBouncer === false) pooler = await startPgBouncer(await server.createDatabase(), 'transaction')
})
after(async () => {
  await pooler?.[Symbol.asyncDispose]()
  await server[Symbol.asyncDispose]()
})

const openAt = async (url: string) => {
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
}

ledgerContract('PostgreSQL', async () => openAt(await server.createDatabase()))

if (withoutPgBouncer === false) {
  ledgerContract('PostgreSQL behind PgBouncer, which pools transactions', async () => {
    const url = await server.createDatabase()
    return openAt(pooler?.behind(url) ?? url)
  })
} else {
  test('the ledger in PostgreSQL behind PgBouncer', { skip: withoutPgBouncer }, () => {})
}
