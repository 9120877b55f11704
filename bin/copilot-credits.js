#!/usr/bin/env node
// Starts the command line on the Node.js that started this file if it is new enough, otherwise on the bundled one.
import { spawn } from 'node:child_process'
// Not by its name: an older Node.js has no enableCompileCache, and would not get as far as starting the bundled one.
import module from 'node:module'
import { fileURLToPath } from 'node:url'
import { bundledNode, isNewEnough, refusal, whyItCannotRun } from './runtime.js'

const runHere = async () => {
  // Keeps stripped and compiled code: without it a start takes a third more CPU and 39 MB more (`npm run bench -- start`). If
  // nothing can be written, it starts without. Not in the folder for temporary files, where others could replace it.
  const { directory } = module.enableCompileCache(
    fileURLToPath(new URL('../node_modules/.cache/copilot-credits', import.meta.url)),
  )
  // For the threads, each of which loads modules of its own.
  if (directory !== undefined) process.env.NODE_COMPILE_CACHE = directory
  const { main } = await import('../src/cli/main.ts')
  process.exitCode = await main(process.argv.slice(2))
}

const runOnBundled = () => {
  const child = spawn(bundledNode, [fileURLToPath(import.meta.url), ...process.argv.slice(2)], { stdio: 'inherit' })
  // A terminal sends Ctrl-C to the child as well: passing it on would be a second one, which means "leave at once".
  process.on('SIGINT', () => {})
  for (const signal of ['SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal))
  // The child sees that its parent has ended, as this process sees it of npm's shell, and leaves in order.
  const parent = process.ppid
  if (process.env.npm_lifecycle_event !== undefined)
    setInterval(() => process.ppid !== parent && process.exit(), 250).unref()
  child.on('exit', (code, signal) => {
    process.exitCode = signal === null ? (code ?? 1) : 1
  })
}

const start = async () => {
  if (isNewEnough(process.versions.node)) return runHere()
  const problem = whyItCannotRun(bundledNode)
  if (problem === undefined) return runOnBundled()
  process.stderr.write(refusal(problem))
  process.exitCode = 2
}

await start()
