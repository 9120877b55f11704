#!/usr/bin/env node
// Starts the command line on the Node.js that comes with the dependencies, whichever one started this file.
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { enableCompileCache } from 'node:module'
import { fileURLToPath } from 'node:url'

const LEAST_MAJOR = 26
const root = fileURLToPath(new URL('..', import.meta.url))
const bundled = fileURLToPath(new URL('../node_modules/node/bin/node', import.meta.url))
const executable = process.platform === 'win32' ? `${bundled}.exe` : bundled

if (Number(process.versions.node.split('.')[0]) >= LEAST_MAJOR) {
  // What is stripped of its types and compiled is kept: a start takes half the time and a third less memory. Where nothing can
  // be written it goes without. Not in the folder for temporary files, where others could put something in its place.
  const { directory } = enableCompileCache(
    fileURLToPath(new URL('../node_modules/.cache/copilot-credits', import.meta.url)),
  )
  // For the threads, each of which loads modules of its own.
  if (directory !== undefined) process.env.NODE_COMPILE_CACHE = directory
  const { main } = await import('../src/cli/main.ts')
  process.exitCode = await main(process.argv.slice(2))
} else if (existsSync(executable)) {
  const child = spawn(executable, [fileURLToPath(import.meta.url), ...process.argv.slice(2)], { stdio: 'inherit' })
  // A terminal sends Ctrl-C to the child as well: passing it on would be a second one, which means "leave at once".
  process.on('SIGINT', () => {})
  for (const signal of ['SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal))
  child.on('exit', (code, signal) => {
    process.exitCode = signal === null ? (code ?? 1) : 1
  })
} else {
  process.stderr.write(`copilot-credits: needs Node.js ${LEAST_MAJOR}: run "npm ci" in ${root} first\n`)
  process.exitCode = 2
}
