/** Every start builds the dashboard if its sources have changed. In a read-only checkout that must fail with a clear error. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { chmodSync, cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { test } from 'node:test'

const skip = process.platform === 'win32' && 'chmod cannot make a folder read-only'

test('an error of one line says that a read-only checkout cannot build the dashboard', { skip }, (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'copilot-credits-build-'))
  // Root can write to a read-only folder, so another user runs the build.
  const nobody = process.getuid?.() === 0 ? { uid: 65534, gid: 65534 } : {}
  const sources = ['dashboard/index.html', 'dashboard/package.json', 'dashboard/vite.config.ts', 'dashboard/src/a.ts']
  const others = ['client/src/a.ts', 'src/model/a.ts', 'src/rating/a.ts', 'package-lock.json', 'node_modules/vite/a.js']
  for (const file of [...sources, ...others]) {
    mkdirSync(dirname(join(folder, file)), { recursive: true })
    writeFileSync(join(folder, file), '')
  }
  cpSync(join(import.meta.dirname, '..', 'bin'), join(folder, 'bin'), { recursive: true })
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }')
  chmodSync(folder, 0o755)
  chmodSync(join(folder, 'dashboard'), 0o555)

  const { status, stdout, stderr, error } = spawnSync(process.execPath, [join(folder, 'bin', 'build-dashboard.js')], {
    ...nobody,
    encoding: 'utf8',
  })
  if (error !== undefined) return t.skip(`the user nobody cannot run this Node.js: ${error.message}`)
  assert.match(
    stderr,
    /^copilot-credits: cannot build the dashboard \(EACCES: .*\)\. Run "npm run build" as the owner of these files\.\n$/,
  )
  assert.deepEqual({ status, stdout }, { status: 1, stdout: '' })
  chmodSync(join(folder, 'dashboard'), 0o755)
  rmSync(folder, { recursive: true })
})
