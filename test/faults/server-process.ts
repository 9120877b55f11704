/** The server as `npm start` runs it: a process that can be killed and restarted on the same port. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { createServer } from 'node:net'
import { join } from 'node:path'

const root = join(import.meta.dirname, '..', '..')

export class ServerProcess {
  readonly url: string
  readonly #environment: Readonly<Record<string, string>>
  readonly #command: readonly string[]
  readonly #folder: string
  #child: ChildProcess | undefined

  private constructor(
    port: number,
    environment: Readonly<Record<string, string>>,
    command: readonly string[],
    folder: string,
  ) {
    this.url = `http://127.0.0.1:${port}`
    this.#environment = { PORT: String(port), LOG_LEVEL: 'silent', ...environment }
    this.#command = command
    this.#folder = folder
  }

  /** `prefix` precedes the command, such as a shell that sets a limit. `folder` may be a checkout of another release. */
  static async create(environment: Readonly<Record<string, string>>, prefix: readonly string[] = [], folder = root) {
    const command = [...prefix, process.execPath, 'bin/copilot-credits.js', 'serve']
    return new ServerProcess(await freePort(), environment, command, folder)
  }

  get pid(): number {
    if (this.#child?.pid === undefined) throw new Error('the server is not running')
    return this.#child.pid
  }

  get isAlive(): boolean {
    return this.#child !== undefined && this.#child.exitCode === null && this.#child.signalCode === null
  }

  /** Resolves once the server responds. */
  async start(): Promise<void> {
    const [command = '', ...args] = this.#command
    const child = spawn(command, args, {
      cwd: this.#folder,
      env: { PATH: process.env['PATH'], ...this.#environment },
      stdio: ['ignore', 'ignore', 'inherit'],
    })
    this.#child = child
    while (!(await this.#answers())) {
      if (!this.isAlive) throw new Error(`the server exited with ${child.exitCode ?? child.signalCode}`)
      await later(10)
    }
  }

  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    const child = this.#child
    if (child === undefined || !this.isAlive) return
    const exited = once(child, 'exit')
    child.kill(signal)
    await exited
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill()
  }

  #answers(): Promise<boolean> {
    return fetch(`${this.url}/healthz`).then(
      (response) => response.ok,
      () => false,
    )
  }
}

export const later = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

const freePort = async (): Promise<number> => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}
