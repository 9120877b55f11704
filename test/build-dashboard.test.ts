/** The dashboard is built at every start if its sources have changed: that has to fail clearly where nothing can be written. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { chmodSync, cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { test } from 'node:test'

const skip = process.platform === 'win32' && 'a folder that cannot be written is made with chmod'

test('a checkout that cannot be written says so in one line if its dashboard has to be built', { skip }, (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'copilot-credits-build-'))
  // Root could write all the same: then someone else runs it.
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
    /^copilot-credits: cannot build the dashboard \(EACCES: .*\)\. Run "npm run build" as its owner\.\n$/,
  )
  assert.deepEqual({ status, stdout }, { status: 1, stdout: '' })
  chmodSync(join(folder, 'dashboard'), 0o755)
  rmSync(folder, { recursive: true })
})
