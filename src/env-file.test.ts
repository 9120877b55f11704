import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { readEnvFile } from './env-file.ts'

const folder = mkdtempSync(join(tmpdir(), 'copilot-credits-env-'))
after(() => rmSync(folder, { recursive: true }))
const path = join(folder, '.env')

const TEXT = 'PORT=8123\n# a comment\nTIME_ZONE="Europe/London"\n'
const settings = { PORT: '8123', TIME_ZONE: 'Europe/London' }

for (const [what, bytes] of [
  ['UTF-8', Buffer.from(TEXT)],
  ['UTF-8 with a byte order mark', Buffer.from(`\ufeff${TEXT}`)],
  ['UTF-16 as Notepad writes it', Buffer.from(`\ufeff${TEXT}`, 'utf16le')],
  ['big-endian UTF-16', Buffer.from(`\ufeff${TEXT}`, 'utf16le').swap16()],
  ['UTF-8 with CRLF line endings', Buffer.from(TEXT.replaceAll('\n', '\r\n'))],
  ['UTF-8 with CR line endings', Buffer.from(TEXT.replaceAll('\n', '\r'))],
] as const) {
  test(`reads a .env file in ${what}`, () => {
    writeFileSync(path, bytes)
    assert.deepEqual({ ...readEnvFile(path) }, settings)
  })
}

test('an unreadable .env file is an error of one line; a missing one is no error', () => {
  for (const bytes of [Buffer.from(TEXT, 'utf16le'), Buffer.from('NAME=R\xe9sum\xe9\n', 'latin1')]) {
    writeFileSync(path, bytes)
    assert.throws(() => readEnvFile(path), /^Error: [^\n]*\.env is neither UTF-8 nor UTF-16[^\n]*$/)
  }
  mkdirSync(join(folder, 'folder'))
  assert.throws(() => readEnvFile(join(folder, 'folder')), /^Error: cannot read [^\n]*$/)
  assert.equal(readEnvFile(join(folder, 'absent')), undefined)
})
