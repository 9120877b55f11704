import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createTheirKeys, memberKey, modelKey } from './names.ts'

test('a model has one key, however it is spelled', () => {
  const spellings: Readonly<Record<string, readonly string[]>> = {
    'claude-sonnet-4-5': [
      'Claude Sonnet 4.5',
      'claude-sonnet-4-5',
      'claude-sonnet-4.5',
      'anthropic/claude-sonnet-4.5',
      'anthropic/claude-sonnet-4.5:beta',
      'claude-sonnet-4-5-20250929',
      'Auto: Claude Sonnet 4.5',
      'us.anthropic/claude_sonnet_4_5',
    ],
    'gpt-4-1': ['openai/gpt-4.1-2025-04-14', 'GPT-4.1', 'gpt-4.1'],
    'claude-opus-4-8-fast-mode': ['Claude Opus 4.8 (fast mode)'],
    'copilot-code-review': ['Copilot Code Review'],
  }
  for (const [key, names] of Object.entries(spellings))
    for (const name of names) assert.equal(modelKey(name), key, name)
  assert.notEqual(modelKey('gpt-5.4'), modelKey('gpt-5.4-mini'))
  assert.notEqual(modelKey('GPT-5.1'), modelKey('GPT-51'))
})

test('members are compared without regard to case, and a map says who else is one', () => {
  assert.equal(memberKey(' Ada '), memberKey('ada'))
  const keys = createTheirKeys({
    members: new Map([['octo-ada', 'ada.lovelace@acme.example']]),
    models: new Map([['Copilot Code Review', 'gpt-5.4-2026-03-05']]),
  })
  assert.equal(keys.member('Octo-Ada'), 'ada.lovelace@acme.example')
  assert.equal(keys.member('ben'), 'ben')
  assert.equal(keys.model('copilot code review'), 'gpt-5-4')
})
