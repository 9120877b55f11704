#!/usr/bin/env node
// Starts the command line on the Node.js that comes with the dependencies, whichever one started this file.
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'

const LEAST_MAJOR = 26
const root = join(import.meta.dirname, '..')
const bundled = join(root, 'node_modules', '.bin', process.platform === 'win32' ? 'node.cmd' : 'node')

if (Number(process.versions.node.split('.')[0]) >= LEAST_MAJOR) {
  const { main } = await import('../src/cli/main.ts')
  process.exitCode = await main(process.argv.slice(2))
} else if (existsSync(bundled)) {
  const child = spawn(bundled, [import.meta.filename, ...process.argv.slice(2)], { stdio: 'inherit' })
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal))
  child.on('exit', (code, signal) => {
    process.exitCode = signal === null ? (code ?? 1) : 1
  })
} else {
  process.stderr.write(`copilot-credits: needs Node.js ${LEAST_MAJOR}: run "npm ci" in ${root} first\n`)
  process.exitCode = 2
}
