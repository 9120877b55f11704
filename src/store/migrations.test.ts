/** Every migration is applied completely or not at all, from any version, with concurrent starts, and if the process is killed. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { after, before, describe, test } from 'node:test'
import pg from 'pg'
import { type PgBouncer, startPgBouncer, withoutPgBouncer } from '../../test/pgbouncer.ts'
import { type PostgresServer, startPostgres } from '../../test/postgres-server.ts'
import { createPostgresLedger } from './postgres/ledger.ts'
import { migrate as migratePostgres } from './postgres/migrate.ts'
import { migrations as postgresMigrations } from './postgres/migrations.ts'
import { createSqliteLedger } from './sqlite/ledger.ts'
import { migrate as migrateSqlite, migrations as sqliteMigrations } from './sqlite/migrate.ts'

type Store = {
  readonly skip?: string | false
  readonly versions: readonly number[]
  readonly create: () => Promise<Database>
}

type Database = {
  /** Migrates only up to a version, as an older release would have. */
  readonly migrateTo: (version: number) => Promise<void>
  readonly run: (sql: string) => Promise<void>
  readonly open: () => Promise<{ readonly close: () => Promise<void>; readonly check: () => Promise<unknown> }>
  /** Source code of a module that opens the database. */
  readonly openingModule: string
  readonly markNewer: string
}

let server: PostgresServer
let pooler: PgBouncer | undefined
let folder: string
before(async () => {
  server = await startPostgres()
  if (withoutPgBouncer === false) pooler = await startPgBouncer(await server.createDatabase(), 'transaction')
  folder = mkdtempSync(join(tmpdir(), 'copilot-credits-migrations-'))
})
after(async () => {
  await pooler?.[Symbol.asyncDispose]()
  await server[Symbol.asyncDispose]()
  rmSync(folder, { recursive: true })
})

const moduleOf = (file: string, name: string, settings: object): string =>
  `import { ${name} } from ${JSON.stringify(new URL(file, import.meta.url).href)}
   process.stdout.write('opening')
   await (await ${name}(${JSON.stringify(settings)})).close()`

let databases = 0

const versionsOfPostgres = postgresMigrations.map(({ version }) => version)

/** `behind` maps to the URL that programs use; the test itself connects directly. */
const createInPostgres = async (behind: (url: string) => string): Promise<Database> => {
  const direct = await server.createDatabase()
  const url = behind(direct)
  const withClient = async (work: (client: pg.Client) => Promise<unknown>): Promise<void> => {
    const client = new pg.Client({ connectionString: direct })
    await client.connect()
    try {
      await work(client)
    } finally {
      await client.end()
    }
  }
  return {
    migrateTo: (version) => withClient((client) => migratePostgres(client, { upTo: version })),
    run: (sql) => withClient((client) => client.query(sql)),
    open: () => createPostgresLedger({ url, poolSize: 2 }),
    openingModule: moduleOf('./postgres/ledger.ts', 'createPostgresLedger', { url, poolSize: 2 }),
    markNewer: 'INSERT INTO schema_migration VALUES (9999, now())',
  }
}

const STORES: Readonly<Record<string, Store>> = {
  SQLite: {
    versions: sqliteMigrations.map(({ version }) => version),
    create: async () => {
      const path = join(folder, `${++databases}.db`)
      const withFile = (work: (database: DatabaseSync) => void): void => {
        using database = new DatabaseSync(path)
        work(database)
      }
      return {
        migrateTo: async (version) => withFile((database) => migrateSqlite(database, path, version)),
        run: async (sql) => withFile((database) => database.exec(sql)),
        open: () => createSqliteLedger({ path }),
        openingModule: moduleOf('./sqlite/ledger.ts', 'createSqliteLedger', { path }),
        markNewer: 'PRAGMA user_version = 9999',
      }
    },
  },
  PostgreSQL: { versions: versionsOfPostgres, create: () => createInPostgres((url) => url) },
  'PostgreSQL behind PgBouncer': {
    skip: withoutPgBouncer,
    versions: versionsOfPostgres,
    create: () => createInPostgres((url) => pooler?.behind(url) ?? url),
  },
}

const openInProcess = (module: string) =>
  spawn(process.execPath, ['--eval', module], { stdio: ['ignore', 'pipe', 'inherit'] })

for (const [name, { skip = false, versions, create }] of Object.entries(STORES)) {
  describe(`the schema of ${name}`, { skip }, () => {
    test('has version numbers without gaps', () => {
      assert.deepEqual(
        versions,
        versions.map((_, index) => index + 1),
      )
    })

    for (const version of [0, ...versions]) {
      test(`is migrated from version ${version} to the newest, and opened again unchanged`, async () => {
        const database = await create()
        await database.migrateTo(version)
        for (let time = 0; time < 2; time++) {
          const ledger = await database.open()
          await ledger.check()
          await ledger.close()
        }
      })
    }

    test('of a newer release is rejected and not changed', async () => {
      const database = await create()
      await (await database.open()).close()
      await database.run(database.markNewer)
      await assert.rejects(database.open(), /schema version 9999, but this program supports/)
      await database.run('SELECT count(*) FROM record')
    })

    test('is created once by several processes that start at the same time', async () => {
      const database = await create()
      const children = Array.from({ length: 4 }, () => openInProcess(database.openingModule))
      const codes = await Promise.all(children.map(async (child) => (await once(child, 'exit'))[0]))
      assert.deepEqual(codes, [0, 0, 0, 0])
      await (await database.open()).close()
    })

    test('is complete or absent after the process that creates it is killed', async () => {
      for (let round = 0; round < 5; round++) {
        const database = await create()
        const child = openInProcess(database.openingModule)
        await once(child.stdout, 'data')
        setTimeout(() => child.kill('SIGKILL'), 10 + round * 12)
        const [code] = await once(child, 'exit')
        assert.ok(code === null || code === 0, 'it failed before it was killed')
        const ledger = await database.open()
        await ledger.check()
        await ledger.close()
      }
    })
  })
}
