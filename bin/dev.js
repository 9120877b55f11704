#!/usr/bin/env node
// For development: the service, started again at every change, and before it the dashboard, which changes while one looks.
import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { createServer } from 'vite'

const path = (name) => fileURLToPath(new URL(name, import.meta.url))
const service = spawn(process.execPath, ['--watch', path('copilot-credits.js'), 'serve'], { stdio: 'inherit' })
const dashboard = await createServer({ configFile: path('../dashboard/vite.config.ts') })
await dashboard.listen()
dashboard.printUrls()

const leave = async () => {
  service.kill()
  await dashboard.close()
}
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, leave)
service.once('exit', (code) => {
  process.exitCode = code ?? 1
  dashboard.close()
})
