import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { SnippetNeeds } from './snippets.ts'
import { litellmSnippet, openTelemetrySnippet } from './telemetry-snippets.ts'

const NEEDS: SnippetNeeds = {
  address: 'https://credits.example',
  organization: 'acme',
  needsKey: true,
  key: 'cck_acme_secret',
  now: '2026-11-26T16:00:00.000Z',
}

test('each has the address and the key', () => {
  assert.equal(
    openTelemetrySnippet(NEEDS),
    `export OTEL_EXPORTER_OTLP_ENDPOINT=https://credits.example
export OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf
export OTEL_EXPORTER_OTLP_HEADERS='Authorization=Bearer%20cck_acme_secret'
export OTEL_RESOURCE_ATTRIBUTES='user.id=ada'`,
  )
  assert.equal(
    litellmSnippet(NEEDS),
    `callback_settings:
  copilot_credits:
    callback_type: generic_api
    endpoint: https://credits.example/v1/litellm
    headers:
      Authorization: Bearer cck_acme_secret
litellm_settings:
  callbacks: ["copilot_credits"]
  turn_off_message_logging: true
`,
  )
})

test('without keys, each names the organization if it is not the default one', () => {
  const open = { ...NEEDS, needsKey: false, key: undefined }
  assert.match(litellmSnippet(open), /endpoint: https:\/\/credits\.example\/v1\/litellm\?organization=acme\n/)
  assert.match(
    openTelemetrySnippet(open),
    /TRACES_ENDPOINT='https:\/\/credits\.example\/v1\/traces\?organization=acme'/,
  )
  for (const text of [litellmSnippet(open), openTelemetrySnippet(open)]) assert.doesNotMatch(text, /Bearer/)
  const own = { ...open, organization: 'default' }
  for (const text of [litellmSnippet(own), openTelemetrySnippet(own)]) assert.doesNotMatch(text, /organization/)
})
