#!/usr/bin/env node
// Runs the command line on the current Node.js if it is new enough, otherwise on the bundled one.
import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { bundledNode, isNewEnough, refusal, whyItCannotRun } from './runtime.js'

const runHere = async () => {
  await import('./compile-cache.js')
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
