import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Ledger } from '#ledger/ledger.ts'
import type { StoreNotice } from '#ledger/notices.ts'
import { ledgerContract } from '../../../test/ledger-contract.ts'
import { createSqliteLedger } from './ledger.ts'

ledgerContract('SQLite', async (options) => {
  const folder = mkdtempSync(join(tmpdir(), 'copilot-credits-ledger-'))
  const path = join(folder, 'ledger.db')
  const notices: StoreNotice[] = []
  const openAnother = () => createSqliteLedger({ path, ...options }, (notice) => notices.push(notice))
  const ledgers: Ledger[] = [await openAnother()]
  return {
    ledger: ledgers[0] as Ledger,
    notices,
    another: async () => {
      const ledger = await openAnother()
      ledgers.push(ledger)
      return ledger
    },
    [Symbol.asyncDispose]: async () => {
      for (const ledger of ledgers) await ledger.close()
      rmSync(folder, { recursive: true })
    },
  }
})
