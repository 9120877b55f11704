import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { text } from 'node:stream/consumers'
import { test } from 'node:test'
import { Command } from 'commander'
import { addKeysCommand } from './keys.ts'

test('rejects U+0000 and lone surrogates in arguments before opening the database', async () => {
  const nothing = new PassThrough()
  for (const odd of ['a\u0000', '\ud800']) {
    for (const args of [
      ['create', '--scope', 'admin', '--name', odd],
      ['create', '--scope', 'admin', '--organization', odd],
      ['list', '--organization', odd],
      ['revoke', odd],
    ]) {
      const program = new Command().exitOverride().configureOutput({ writeErr: () => {} })
      const environment = () => assert.fail('tried to open the database')
      addKeysCommand(program, { out: nothing, err: nothing }, environment)
      // Subcommands inherit these settings only when they are created.
      for (const each of program.commands.flatMap((group) => [group, ...group.commands]))
        each.exitOverride().configureOutput({ writeErr: () => {} })
      await assert.rejects(
        program.parseAsync(['keys', ...args], { from: 'user' }),
        /free of U\+0000 and lone surrogates/,
      )
    }
  }
})

test('says that there are no keys instead of printing an empty table', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'copilot-credits-'))
  const list = async (...options: readonly string[]): Promise<string> => {
    const out = new PassThrough()
    const program = new Command()
    addKeysCommand(program, { out, err: out }, () => ({ DATABASE_URL: `sqlite:${join(folder, 'keys.db')}` }))
    await program.parseAsync(['keys', 'list', ...options], { from: 'user' })
    out.end()
    return text(out)
  }
  assert.equal(await list(), 'No API keys.\n')
  assert.deepEqual(JSON.parse(await list('--json')), { keys: [] })
  rmSync(folder, { recursive: true })
})
