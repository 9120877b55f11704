import assert from 'node:assert/strict'
import { test } from 'node:test'
import { curlSnippet, javaScriptSnippet, type SnippetNeeds } from './snippets.ts'

const NEEDS: SnippetNeeds = {
  address: 'https://credits.example',
  organization: 'acme',
  needsKey: true,
  key: undefined,
  now: '2026-11-26T16:00:00.000Z',
}

test('a snippet has the address, the key and nothing that a key says already', () => {
  const needs = { ...NEEDS, key: 'cck_acme_secret' }
  assert.equal(
    curlSnippet(needs),
    `curl 'https://credits.example/v1/messages' \\
  -H 'authorization: Bearer cck_acme_secret' \\
  -H 'content-type: application/json' \\
  -d '{"messages":[{"id":"hello-1","text":"What is the lease term?","timestamp":"2026-11-26T16:00:00.000Z","user_id":"ada"}]}'`,
  )
  assert.match(javaScriptSnippet(needs), /baseUrl: 'https:\/\/credits\.example', key: 'cck_acme_secret'/)
  for (const text of [curlSnippet(needs), javaScriptSnippet(needs)]) assert.doesNotMatch(text, /organization/)
})

test('without a key, there is a place for one', () => {
  for (const text of [curlSnippet(NEEDS), javaScriptSnippet(NEEDS)]) assert.match(text, /cck_acme_…/)
})

test('if the service asks for no key, another organization than the default one is named', () => {
  const open = { ...NEEDS, needsKey: false }
  assert.match(curlSnippet(open), /\/v1\/messages\?organization=acme'/)
  assert.match(javaScriptSnippet(open), /\], \{ organization: 'acme' \}\)/)
  const own = { ...open, organization: 'default' }
  for (const text of [curlSnippet(own), javaScriptSnippet(own)]) assert.doesNotMatch(text, /organization|cck_/)
})
