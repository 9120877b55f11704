import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { test } from 'node:test'
import { batchOf, DAY_MS, recordOf, START } from '../../../test/priced.ts'
import { openReader } from './database.ts'
import { checkTotals } from './integrity.ts'
import { createSqliteLedger } from './ledger.ts'

test('messages that arrive between any two reads of a check are no damage', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'copilot-credits-integrity-'))
  const path = join(folder, 'ledger.db')
  const ledger = await createSqliteLedger({ path })
  await ledger.append(batchOf([recordOf(1), recordOf(2, { at: START + DAY_MS, member: 'ada' })]))
  await ledger.close()
  const writer = new DatabaseSync(path)
  const reader = openReader({ path })
  const prepare = reader.prepare.bind(reader)
  let arrived = 2
  reader.prepare = (sql) => {
    arrived++
    writer.exec(`
      BEGIN;
      INSERT INTO record (organization_id, at_ms, message_id, revision, day_start, cell_id, credits_micros, facts, digest, recorded_at)
      SELECT organization_id, at_ms, ${arrived}, 0, day_start, cell_id, credits_micros, facts, digest, recorded_at
      FROM record WHERE message_id = 1;
      UPDATE day SET messages = messages + 1, credits_micros = credits_micros + 1850000 WHERE day_start = ${START};
      UPDATE day_cell SET messages = messages + 1, credits_micros = credits_micros + 1850000 WHERE day_start = ${START};
      UPDATE period_cell SET messages = messages + 1, credits_micros = credits_micros + 1850000
      WHERE cell_id = (SELECT cell_id FROM record WHERE message_id = 1);
      COMMIT`)
    return prepare(sql)
  }
  assert.deepEqual([...checkTotals(reader)], [])
  assert.ok(arrived > 10)
  reader.close()
  writer.close()
  rmSync(folder, { recursive: true })
})
