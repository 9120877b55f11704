/** `copilot-credits db`: maintenance of the database. */
import type { Command } from 'commander'
import { type Config, type Environment, readConfig } from '#config.ts'
import { CommandFailed } from './failure.ts'
import { migrationPrinter, shown, type Terminal } from './terminal.ts'

export const addDatabaseCommand = (program: Command, { out, err }: Terminal, environment: () => Environment): void => {
  const database = program
    .command('db')
    .summary('Check, back up, restore or distribute the database')
    .description('Check, back up, restore or distribute the database that DATABASE_URL names.')

  database
    .command('distribute')
    .summary('Distribute the tables across a Citus cluster (PostgreSQL)')
    .description(
      'Distribute the tables across a Citus cluster by organization. The PostgreSQL database must have the citus extension.',
    )
    .action(async () => {
      const { openStore } = await import('#compose/store.ts')
      const store = await openStore(readConfig(environment()), migrationPrinter(err))
      try {
        if (store.distribute === undefined)
          throw new CommandFailed(
            'DATABASE_URL names a SQLite file; only PostgreSQL with the citus extension can be distributed',
          )
        const { isDistributed, tables } = await store.distribute()
        if (!isDistributed)
          throw new CommandFailed('this PostgreSQL database does not have the citus extension; no table was changed')
        out.write(tables.length === 0 ? 'All tables are already distributed.\n' : `Distributed ${tables.join(', ')}.\n`)
      } finally {
        await store.close()
      }
    })
  database
    .command('check')
    .summary('Verify that the database is intact and its totals match its records')
    .description(
      'Read the whole database and verify the structure of the file and its indexes (SQLite), the totals per day, report ' +
        'and member, and the order of amendments. Print every problem, and exit with 1 if there are any. The service can ' +
        'keep running.',
    )
    .action(async () => {
      const { checkDatabase } = await import('#compose/store.ts')
      const findings = await checkDatabase(readConfig(environment()))
      for (const finding of findings) out.write(`${shown(finding)}\n`)
      if (findings.length > 0) throw new CommandFailed(`the database is damaged: ${count(findings.length)} found`)
      out.write('No problems found. The database is intact and its totals match its records.\n')
    })

  database
    .command('backup <file>')
    .summary('Copy the database to a file and verify the copy (SQLite)')
    .description('Copy the database to a file and verify the copy. The service can keep running. SQLite only.')
    .option('--force', 'Replace the file if it exists')
    .action(async (file: string, { force = false }: { readonly force?: boolean }) => {
      const path = sqlitePath(readConfig(environment()), 'pg_dump --format=custom --file=FILE "$DATABASE_URL"')
      const { backupTo } = await import('#store/sqlite/backup.ts')
      await backupTo(path, file, { overwrite: force })
      out.write(`Backed up to ${shown(file)} and verified.\n`)
    })

  database
    .command('restore <file>')
    .summary('Replace the database with a backup (SQLite)')
    .description('Replace the database with a backup. Stop every process that uses the database first. SQLite only.')
    .option('--force', 'Replace a database that is not empty; it is kept under another name')
    .action(async (file: string, { force = false }: { readonly force?: boolean }) => {
      const path = sqlitePath(readConfig(environment()), 'pg_restore --clean --if-exists --dbname="$DATABASE_URL" FILE')
      const { restoreFrom } = await import('#store/sqlite/backup.ts')
      const kept = restoreFrom(file, path, { overwrite: force })
      out.write(`Restored ${shown(path)}.\n`)
      if (kept !== undefined) out.write(`The previous database is kept as ${shown(kept)}.\n`)
    })
}

const count = (problems: number): string => `${problems} ${problems === 1 ? 'problem' : 'problems'}`

const sqlitePath = ({ database }: Pick<Config, 'database'>, instead: string): string => {
  if (database.kind === 'sqlite') return database.path
  throw new CommandFailed(`this command is for SQLite; for PostgreSQL use ${instead}`)
}
