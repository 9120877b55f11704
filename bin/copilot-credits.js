#!/usr/bin/env node
// Runs the command line on the current Node.js if it is new enough, otherwise on the bundled one.
import { spawn } from 'node:child_process'
// A default import: a named import of enableCompileCache would fail on an older Node.js before the bundled one starts.
import module from 'node:module'
import { fileURLToPath } from 'node:url'
import { bundledNode, isNewEnough, refusal, whyItCannotRun } from './runtime.js'

const runHere = async () => {
  // Caches the stripped and compiled code: without it a start takes a third more CPU and 39 MB more (`npm run bench -- start`).
  // Without write access there is no cache. It is not in the temporary folder, where other users could replace it.
  const { directory } = module.enableCompileCache(
    fileURLToPath(new URL('../node_modules/.cache/copilot-credits', import.meta.url)),
  )
  // For worker threads, which load their own modules.
  if (directory !== undefined) process.env.NODE_COMPILE_CACHE = directory
  const { main } = await import('../src/cli/main.ts')
  process.exitCode = await main(process.argv.slice(2))
}

const runOnBundled = () => {
  const child = spawn(bundledNode, [fileURLToPath(import.meta.url), ...process.argv.slice(2)], { stdio: 'inherit' })
  // A terminal sends Ctrl-C to the child as well. Forwarding it would be a second signal, which stops the child immediately.
  process.on('SIGINT', () => {})
  for (const signal of ['SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal))
  // Exits when npm's shell has ended. The child notices that in turn and shuts down gracefully.
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
