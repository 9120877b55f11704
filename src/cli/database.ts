/** `copilot-credits db`: what is done to a database once. */
import type { Command } from 'commander'
import { type Config, type Environment, readConfig } from '#config.ts'
import { CommandFailed } from './failure.ts'
import { shown, type Terminal } from './terminal.ts'

export const addDatabaseCommand = (program: Command, { out }: Terminal, environment: () => Environment): void => {
  const database = program
    .command('db')
    .summary('the database')
    .description('Checks, copies and restores the database.')

  database
    .command('distribute')
    .summary('make the tables distributed, where PostgreSQL has the extension citus')
    .action(async () => {
      const { openStore } = await import('#service.ts')
      const store = await openStore(readConfig(environment()))
      try {
        if (store.distribute === undefined)
          throw new CommandFailed('DATABASE_URL is a file of SQLite: there is nothing to distribute')
        const { isDistributed, tables } = await store.distribute()
        if (!isDistributed)
          throw new CommandFailed('this PostgreSQL has no extension citus: the tables stay as they are')
        out.write(tables.length === 0 ? 'all tables are distributed already\n' : `distributed: ${tables.join(', ')}\n`)
      } finally {
        await store.close()
      }
    })
  database
    .command('check')
    .summary('whether the database is whole and its totals equal its records; exit code 1 if not')
    .description(
      'Reads everything: the structure of the file and its indexes (SQLite), the totals of each day, report and member ' +
        'against the records, and that amended charges follow each other. The service may be at work meanwhile.',
    )
    .action(async () => {
      const { checkDatabase } = await import('#service.ts')
      const findings = await checkDatabase(readConfig(environment()))
      for (const finding of findings) out.write(`${shown(finding)}\n`)
      if (findings.length > 0) throw new CommandFailed(`the database is damaged: ${findings.length} findings`)
      out.write('sound: the database is whole, and its totals equal the sum of its records\n')
    })

  database
    .command('backup <file>')
    .summary('copy the database into a file while the service is at work (SQLite)')
    .option('--force', 'replace the file if it is there')
    .action(async (file: string, { force = false }: { readonly force?: boolean }) => {
      const path = sqlitePath(readConfig(environment()), 'pg_dump --format=custom --file=FILE "$DATABASE_URL"')
      const { backupTo } = await import('#service.ts')
      await backupTo(path, file, { overwrite: force })
      out.write(`copied and checked: ${shown(file)}\n`)
    })

  database
    .command('restore <file>')
    .summary('put a backup in the place of the database, while nothing uses it (SQLite)')
    .option('--force', 'even if there is a database with content, which is kept under another name')
    .action(async (file: string, { force = false }: { readonly force?: boolean }) => {
      const path = sqlitePath(readConfig(environment()), 'pg_restore --clean --if-exists --dbname="$DATABASE_URL" FILE')
      const { restoreFrom } = await import('#service.ts')
      const kept = restoreFrom(file, path, { overwrite: force })
      out.write(`restored: ${shown(path)}\n`)
      if (kept !== undefined) out.write(`what was there before: ${shown(kept)}\n`)
    })
}

const sqlitePath = ({ database }: Pick<Config, 'database'>, instead: string): string => {
  if (database.kind === 'sqlite') return database.path
  throw new CommandFailed(`DATABASE_URL is a PostgreSQL, which brings its own means: ${instead}`)
}
