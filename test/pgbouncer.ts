/** Runs PgBouncer in front of a PostgreSQL with fewer server connections than the service opens, so that they are shared. */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { chownSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort, unprivilegedUser } from './postgres-server.ts'

export type PoolMode = 'session' | 'transaction' | 'statement'

export type PgBouncer = AsyncDisposable & {
  /** The URL of the same database through PgBouncer. */
  readonly behind: (url: string) => string
}

// On Debian it is in /usr/sbin, which is not on every user's PATH.
const PATH = `${process.env['PATH']}:/usr/sbin:/usr/local/sbin`

/** The reason to skip tests that need it, or false. */
export const withoutPgBouncer: string | false =
  spawnSync('pgbouncer', ['--version'], { env: { PATH } }).status === 0 ? false : 'PgBouncer is not installed'

export const startPgBouncer = async (url: string, poolMode: PoolMode): Promise<PgBouncer> => {
  const { hostname, port: serverPort, username, password } = new URL(url)
  const folder = mkdtempSync(join(tmpdir(), 'copilot-credits-pgbouncer-'))
  const port = await freePort()
  const users = join(folder, 'users.txt')
  const settings = join(folder, 'pgbouncer.ini')
  writeFileSync(users, `"${decodeURIComponent(username)}" "${decodeURIComponent(password)}"\n`)
  writeFileSync(
    settings,
    `[databases]
* = host=${hostname} port=${serverPort || 5432}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_type = trust
auth_file = ${users}
pool_mode = ${poolMode}
default_pool_size = 3
server_idle_timeout = 2
max_client_conn = 200
server_login_retry = 1
`,
  )
  const user = unprivilegedUser()
  if (user !== undefined) for (const path of [folder, users, settings]) chownSync(path, user.uid, user.gid)
  const child = spawn('pgbouncer', ['--quiet', settings], { ...user, cwd: folder, env: { PATH }, stdio: 'ignore' })
  const exited = once(child, 'exit')
  const cleanUp = (): void => {
    child.kill('SIGKILL')
    rmSync(folder, { recursive: true, force: true })
  }
  process.on('exit', cleanUp)
  while (!(await isListening(port))) {
    if (child.exitCode !== null) throw new Error(`PgBouncer exited with ${child.exitCode}`)
  }
  return {
    behind: (direct) => {
      const behind = new URL(direct)
      behind.hostname = '127.0.0.1'
      behind.port = String(port)
      return behind.href
    },
    [Symbol.asyncDispose]: async () => {
      process.off('exit', cleanUp)
      cleanUp()
      await exited
    },
  }
}

const isListening = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => setTimeout(resolve, 10, false))
  })
