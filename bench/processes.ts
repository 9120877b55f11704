/** Starts servers as separate processes, as in production. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import packageJson from '../package.json' with { type: 'json' }

export type Running = AsyncDisposable & {
  readonly port: number
  readonly pid: number
  readonly residentBytes: () => number
  readonly peakBytes: () => number
}

/** The flags that `npm start` passes to Node.js. */
export const startFlags: readonly string[] = packageJson.scripts.start.match(/--\S+/g) ?? []
const serve = packageJson.scripts.start.replace(/^node (--\S+ )*/, '')

export const startProcess = async (file: string, ...args: readonly string[]): Promise<Running> => {
  const port = await freePort()
  const child = spawn(process.execPath, [file, String(port), ...args], { stdio: ['ignore', 'pipe', 'inherit'] })
  await once(child.stdout, 'data')
  return running(child, port)
}

/** Starts the service as `npm start` does, or with other flags. Its log, and its database if none is given, are deleted with it. */
export const startService = async (
  environment: Readonly<Record<string, string>>,
  flags: readonly string[] = startFlags,
): Promise<Running> => {
  const port = await freePort()
  const folder = mkdtempSync(join(tmpdir(), 'copilot-credits-bench-'))
  const log = join(folder, 'log')
  const database = `sqlite:${join(folder, 'ledger.db')}`
  const command = [`"${process.execPath}"`, ...flags, serve].join(' ')
  const child = spawn('sh', ['-c', `exec ${command} > "${log}"`], {
    env: { PATH: process.env['PATH'], PORT: String(port), DATABASE_URL: database, ...environment },
    stdio: ['ignore', 'inherit', 'inherit'],
  })
  const isAlive = () => readWhole(`http://127.0.0.1:${port}/healthz`).catch(() => 0)
  while ((await isAlive()) === 0) await new Promise((resolve) => setTimeout(resolve, 20))
  const process_ = running(child, port)
  return {
    ...process_,
    [Symbol.asyncDispose]: async () => {
      await process_[Symbol.asyncDispose]()
      rmSync(folder, { recursive: true })
    },
  }
}

const running = (child: ChildProcess, port: number): Running => ({
  port,
  pid: child.pid ?? 0,
  residentBytes: () => memoryOf(child, 'VmRSS'),
  peakBytes: () => memoryOf(child, 'VmHWM'),
  [Symbol.asyncDispose]: async () => {
    child.kill('SIGKILL')
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
  },
})

/** Read from Linux's /proc; NaN on other systems. */
const memoryOf = (child: ChildProcess, field: 'VmRSS' | 'VmHWM'): number => {
  try {
    return Number(new RegExp(`${field}:\\s+(\\d+)`).exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))?.[1]) * 1024
  } catch {
    return Number.NaN
  }
}

const freePort = async (): Promise<number> => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

export const readWhole = (url: string): Promise<number> =>
  new Promise((resolve, reject) => {
    request(url, (response) => {
      let bytes = 0
      response.on('data', (chunk: Buffer) => {
        bytes += chunk.length
      })
      response.on('error', reject)
      response.on('end', () =>
        response.statusCode === 200 ? resolve(bytes) : reject(new Error(`status ${response.statusCode}`)),
      )
    })
      .on('error', reject)
      .end()
  })
