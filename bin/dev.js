#!/usr/bin/env node
// For development: the service, started again at every change, and before it the dashboard, which changes while one looks.
import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { createServer } from 'vite'
import { environmentWithFile, InvalidConfig } from '../src/config.ts'

// The dashboard's proxy must know the same PORT as the service.
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

// A terminal sends Ctrl-C to the service as well: passing it on would be a second one, which means "leave at once".
process.once('SIGINT', () => dashboard.close())
process.once('SIGTERM', () => service.kill())
service.once('exit', (code) => {
  process.exitCode = code ?? 1
  dashboard.close()
})
