/** Appends and reads while PostgreSQL hangs or is down, and after it has recovered. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { AppendAnswer, AppendBatch, Ledger } from '#ledger/ledger.ts'
import { StoreError } from '#model/errors.ts'
import { CALENDAR_BEGINS, type Organization } from '#model/organization.ts'
import { startPgBouncer, withoutPgBouncer } from '../../../test/pgbouncer.ts'
import { startPostgres } from '../../../test/postgres-server.ts'
import { batchOf, recordOf } from '../../../test/priced.ts'
import { createPostgresLedger } from './ledger.ts'

/** Forty single messages and batches of many sizes, alternating between two organizations. */
const batches: readonly AppendBatch[] = [...Array<number>(40).fill(1), 2, 30, 400, 700, 5, 1000, 3, 600, 1, 250].map(
  (count, batch) =>
    batchOf(
      Array.from({ length: count }, (_, index) => recordOf(`${batch}-${index}`, { at: 0 })),
      { organizationId: batch % 2 === 0 ? 'default' : 'acme', onChange: batch % 9 === 0 ? 'amend' : 'refuse' },
    ),
)

const acme: Organization = {
  id: 'acme',
  name: 'Acme',
  createdAt: 0,
  calendar: [{ effectiveFrom: CALENDAR_BEGINS, timeZone: 'UTC', anchorDay: 1 }],
}

const RETRY_FOR_MS = 2000
/** Retrying the waiting appends one after the other would take far longer. */
const ANSWERED_WITHIN_MS = 20_000

const totalOf = (ledger: Ledger, organizationId: string): Promise<number | undefined> =>
  ledger.read(organizationId, async (view) => {
    const [day] = await view.dayTotals({ from: 0, to: 1, group: [] })
    return day?.messages
  })

/** Resends what was not acknowledged, as clients do. */
const appendUntilDone = async (ledger: Ledger, batch: AppendBatch): Promise<AppendAnswer> => {
  for (;;) {
    try {
      return await ledger.append(batch)
    } catch (error) {
      if (!(error instanceof StoreError)) throw error
    }
  }
}

const countOf = (organizationId: string): number =>
  batches.reduce((sum, batch) => sum + (batch.organizationId === organizationId ? batch.priced.count : 0), 0)

for (const pooler of ['', ' behind PgBouncer']) {
  describe(`PostgreSQL${pooler}`, { concurrency: true, skip: pooler !== '' && withoutPgBouncer }, () => {
    for (const how of ['hangs', 'is down'] as const) {
      test(`${how}: every append and read fails in time, and after it recovers each message is charged once`, async (context) => {
        await using postgres = await startPostgres({ sync: true })
        const { hang, kill, start } = postgres
        if (hang === undefined || kill === undefined || start === undefined) {
          context.skip('this test must not stop the PostgreSQL of TEST_DATABASE_URL')
          return
        }
        const direct = await postgres.createDatabase()
        await using between = pooler === '' ? undefined : await startPgBouncer(direct, 'transaction')
        const url = between?.behind(direct) ?? direct
        const ledger = await createPostgresLedger({ url, poolSize: 6, retryForMs: RETRY_FOR_MS })
        await using _ = { [Symbol.asyncDispose]: () => ledger.close() }
        await ledger.decide('acme', { kind: 'create-organization', organization: acme })
        await Promise.all(batches.slice(0, 5).map((batch) => appendUntilDone(ledger, batch)))

        await (how === 'hangs' ? hang() : kill())
        const startedAt = performance.now()
        const failures = await Promise.allSettled([
          ...batches.map((batch) => ledger.append(batch)),
          totalOf(ledger, 'default'),
          ledger.organizations.find('default'),
          ledger.check(),
        ])
        for (const failure of failures) {
          assert.ok(failure.status === 'rejected' && failure.reason instanceof StoreError, 'an append was acknowledged')
        }
        assert.ok(performance.now() - startedAt < ANSWERED_WITHIN_MS, 'an answer came too late')

        await (how === 'hangs' ? postgres.goOn() : start())
        const outcomes = await Promise.all(batches.map((batch) => appendUntilDone(ledger, batch)))
        assert.ok(
          outcomes
            .flat()
            .every((one) => typeof one !== 'string' && /^(accepted|duplicate)$/.test(one?.status ?? 'accepted')),
        )
        for (const organization of ['default', 'acme']) {
          assert.equal(await totalOf(ledger, organization), countOf(organization))
        }
      })
    }
  })
}
