#!/usr/bin/env node
// Development: runs the service, restarted on every change, and the dashboard with hot reloading in front of it.
import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { createServer } from 'vite'
import { environmentWithFile, InvalidConfig } from '../src/config.ts'

// Loads .env, so that the dashboard's proxy uses the same PORT as the service.
try {
  environmentWithFile()
} catch (error) {
  if (!(error instanceof InvalidConfig)) throw error
  process.stderr.write(`copilot-credits: ${error.message}\n`)
  process.exit(2)
}

const path = (name) => fileURLToPath(new URL(name, import.meta.url))
const service = spawn(process.execPath, ['--watch', path('copilot-credits.js'), 'serve'], { stdio: 'inherit' })
const dashboard = await createServer({ configFile: path('../dashboard/vite.config.ts') })
await dashboard.listen()
dashboard.printUrls()

// A terminal sends Ctrl-C to the service as well. Forwarding it would be a second signal, which stops the service immediately.
process.once('SIGINT', () => dashboard.close())
process.once('SIGTERM', () => service.kill())
service.once('exit', (code) => {
  process.exitCode = code ?? 1
  dashboard.close()
})
