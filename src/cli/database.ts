/** `copilot-credits db`: what is done to a database once. */
import type { Command } from 'commander'
import { type Environment, readConfig } from '#config.ts'
import { CommandFailed } from './failure.ts'
import type { Terminal } from './terminal.ts'

export const addDatabaseCommand = (program: Command, { out }: Terminal, environment: () => Environment): void => {
  const database = program.command('db').summary('the database').description('What is done to a database once.')

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
}
