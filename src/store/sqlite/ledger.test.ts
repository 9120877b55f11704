import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Ledger } from '#ledger/ledger.ts'
import { ledgerContract } from '../../../test/ledger-contract.ts'
import { createSqliteLedger } from './ledger.ts'

ledgerContract('SQLite', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'copilot-credits-ledger-'))
  const path = join(folder, 'ledger.db')
  const ledgers: Ledger[] = [await createSqliteLedger({ path })]
  return {
    ledger: ledgers[0] as Ledger,
    another: async () => {
      const ledger = await createSqliteLedger({ path })
      ledgers.push(ledger)
      return ledger
    },
    [Symbol.asyncDispose]: async () => {
      for (const ledger of ledgers) await ledger.close()
      rmSync(folder, { recursive: true })
    },
  }
})
