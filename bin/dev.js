#!/usr/bin/env node
// For development: the service, started again at every change, and before it the dashboard, which changes while one looks.
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { createServer } from 'vite'

// The dashboard's proxy must know the same PORT as the service.
if (existsSync('.env')) process.loadEnvFile()

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
