/** A file of version 1 becomes one of the present version with the same charges, or stays as it is. */
import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, readdirSync, renameSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { test } from 'node:test'
import type { StoreNotice } from '#ledger/notices.ts'
import { assertMigrated, type OldRecord, oldRecords, writeOldSqlite } from '../../../test/version-1.ts'
import { backupTo, checkFile, restoreFrom } from './backup.ts'
import { createSqliteLedger } from './ledger.ts'
import { versionOf } from './migrate.ts'

const MESSAGES = 1500

const temporaryFolder = () => {
  const path = mkdtempSync(join(tmpdir(), 'copilot-credits-rebuild-'))
  return { path, database: join(path, 'ledger.db'), [Symbol.dispose]: () => rmSync(path, { recursive: true }) }
}

const run = (path: string, sql: string): void => {
  using database = new DatabaseSync(path)
  database.exec(sql)
}

const versionOfFile = (path: string): number => {
  using database = new DatabaseSync(path)
  return versionOf(database)
}

const fill = (path: string, messages = MESSAGES) => {
  const records: readonly OldRecord[] = [...oldRecords(messages)]
  return { records, totals: writeOldSqlite(path, records) }
}

test('every charge, total, name and key comes over, and the old file is kept', async () => {
  using folder = temporaryFolder()
  const { records, totals } = fill(folder.database)
  const notices: StoreNotice[] = []
  const progress: string[] = []
  const observe = (notice: StoreNotice) => notices.push(notice)
  const ledger = await createSqliteLedger({ path: folder.database }, observe, (text) => progress.push(text))
  await assertMigrated(ledger, records, totals)
  await ledger.close()
  assert.deepEqual(checkFile(folder.database), [])
  assert.match(notices[0]?.message ?? '', /ledger\.db was migrated\. .*ledger\.db\.v1 \(\d+ MiB\): delete it/)
  const count = records.length.toLocaleString('en-US')
  assert.equal(progress.at(-1), `The database is being migrated: ${count} of ${count} records.`)
  assert.deepEqual(readdirSync(folder.path).sort(), ['.ledger.db.marker', 'ledger.db', 'ledger.db.v1'])
  assert.equal(statSync(folder.database).mode & 0o777, 0o600)
  assert.deepEqual(checkFile(`${folder.database}.v1`), [])
})

test('an empty file of version 1 is migrated too', async () => {
  using folder = temporaryFolder()
  const { records, totals } = fill(folder.database, 0)
  const ledger = await createSqliteLedger({ path: folder.database })
  await assertMigrated(ledger, records, totals)
  await ledger.close()
})

test('a file behind a symbolic link is exchanged where it is', async () => {
  using folder = temporaryFolder()
  const file = join(folder.path, 'elsewhere.db')
  const { records, totals } = fill(file, 100)
  symlinkSync(file, folder.database)
  const ledger = await createSqliteLedger({ path: folder.database })
  await assertMigrated(ledger, records, totals)
  await ledger.close()
  assert.equal(versionOfFile(file), 2)
  assert.equal(versionOfFile(`${file}.v1`), 1)
})

/** What is wrong with the old file, and what the refusal says. */
const WRONG: readonly { readonly name: string; readonly sql: string; readonly says: RegExp }[] = [
  {
    name: 'a total of a day that contradicts its records',
    sql: 'UPDATE daily_total SET credits_micros = credits_micros + 1',
    says: /is damaged: organization .*: the total says \d+ messages and \d+ micro-credits, the records add up to/,
  },
  {
    name: 'a total of a member that contradicts its records',
    sql: "UPDATE daily_group_total SET messages = messages + 1 WHERE member = 'ann'",
    says: /member "ann": the total says/,
  },
  {
    name: 'a missing record',
    sql: 'DELETE FROM usage_record WHERE revision = 0 AND superseded_by IS NULL AND at_ms % 50 = 0',
    says: /the records add up to/,
  },
  {
    name: 'a record before its first day',
    sql: 'DELETE FROM daily_total WHERE day_start < 1706600000000',
    says: /before its first day|the total says/,
  },
  { name: 'a record without a rate card', sql: 'DELETE FROM rate_card WHERE rate_card_id = 2', says: /would differ/ },
  {
    name: 'an amendment that supersedes nothing',
    sql: 'UPDATE usage_record SET revision = 5 WHERE revision = 2',
    says: /is superseded by a revision that does not exist/,
  },
]

for (const { name, sql, says } of WRONG) {
  test(`${name} is a refusal that changes nothing`, async () => {
    using folder = temporaryFolder()
    fill(folder.database, 300)
    run(folder.database, sql)
    await assert.rejects(createSqliteLedger({ path: folder.database }), says)
    assert.deepEqual(readdirSync(folder.path).sort(), ['.ledger.db.marker', 'ledger.db'])
    assert.equal(versionOfFile(folder.database), 1)
  })
}

test('an older copy of the database is not migrated', async () => {
  using folder = temporaryFolder()
  fill(folder.database, 50)
  writeFileSync(
    join(folder.path, '.ledger.db.marker'),
    '{"database_id": "11111111-2222-4333-8444-555555555555",\n"generation": 8}',
  )
  await assert.rejects(createSqliteLedger({ path: folder.database }), /holds an older copy/)
  assert.equal(versionOfFile(folder.database), 1)
})

test('an exchange that was interrupted is finished at the next start, log included', async () => {
  using folder = temporaryFolder()
  const { records, totals } = fill(folder.database, 200)
  await (await createSqliteLedger({ path: folder.database })).close()
  // As if the process had been killed right after the old file lost its name.
  renameSync(folder.database, `${folder.database}.complete`)
  writeFileSync(`${folder.database}-wal`, 'of the old file')
  const ledger = await createSqliteLedger({ path: folder.database })
  await assertMigrated(ledger, records, totals)
  await ledger.close()
  assert.equal(existsSync(`${folder.database}.complete`), false)
})

test('leftovers of a migration that was interrupted earlier are thrown away', async () => {
  using folder = temporaryFolder()
  const { records, totals } = fill(folder.database, 200)
  for (const name of ['unfinished', 'unfinished-journal', 'complete'])
    writeFileSync(`${folder.database}.${name}`, 'old')
  const ledger = await createSqliteLedger({ path: folder.database })
  await assertMigrated(ledger, records, totals)
  await ledger.close()
  assert.deepEqual(readdirSync(folder.path).sort(), ['.ledger.db.marker', 'ledger.db', 'ledger.db.v1'])
})

test('of processes that start at the same time, one migrates and the others wait', async () => {
  using folder = temporaryFolder()
  const { records, totals } = fill(folder.database, 200)
  const opened = await Promise.all(Array.from({ length: 3 }, () => createSqliteLedger({ path: folder.database })))
  for (const ledger of opened) {
    await assertMigrated(ledger, records, totals)
    await ledger.close()
  }
  assert.deepEqual(readdirSync(folder.path).sort(), ['.ledger.db.marker', 'ledger.db', 'ledger.db.v1'])
})

test('a backup of version 1 can be checked, copied and restored, and is then migrated again', async () => {
  using folder = temporaryFolder()
  const backup = join(folder.path, 'backup.db')
  const { records, totals } = fill(folder.database, 300)
  assert.deepEqual(checkFile(folder.database), [])
  await backupTo(folder.database, backup, { overwrite: false })
  await (await createSqliteLedger({ path: folder.database })).close()
  restoreFrom(backup, folder.database, { overwrite: true })
  assert.equal(versionOfFile(folder.database), 1)
  const ledger = await createSqliteLedger({ path: folder.database })
  await assertMigrated(ledger, records, totals)
  await ledger.close()
  assert.ok(existsSync(`${folder.database}.v1-2`))
})
