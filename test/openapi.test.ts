import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { openApiText } from './openapi-text.ts'

test('openapi.json is up to date with the routes (to update: npm run openapi)', async () => {
  assert.equal(readFileSync(new URL('../openapi.json', import.meta.url), 'utf8'), await openApiText())
})

test('every operation in openapi.json has a summary and a description', () => {
  const document = JSON.parse(readFileSync(new URL('../openapi.json', import.meta.url), 'utf8'))
  type Operation = { readonly operationId: string; readonly summary?: string; readonly description?: string }
  const operations = Object.values<Record<string, Operation>>(document.paths).flatMap((path) => Object.values(path))
  assert.ok(operations.length > 20)
  for (const { operationId, summary = '', description = '' } of operations) {
    assert.match(summary, /^[A-Z][^.]+$/, operationId)
    assert.match(description, /^[A-Z].+\.$/s, operationId)
    assert.notEqual(description, `${summary}.`, operationId)
  }
})

test('openapi.json is 3.1 and every field in it has a description and an example', () => {
  const document = JSON.parse(readFileSync(new URL('../openapi.json', import.meta.url), 'utf8'))
  assert.equal(document.openapi, '3.1.0')
  const lacking: string[] = []
  const visit = (node: unknown, path: string): void => {
    if (typeof node !== 'object' || node === null) return
    const { properties } = node as { properties?: Record<string, Record<string, unknown>> }
    for (const [name, field] of Object.entries(properties ?? {})) {
      // A reference is described where it leads.
      if ('$ref' in field) continue
      const isNested = 'properties' in field || 'items' in field
      if (!('description' in field)) lacking.push(`${path}.${name}: description`)
      if (!isNested && !('examples' in field)) lacking.push(`${path}.${name}: example`)
    }
    for (const [key, value] of Object.entries(node)) visit(value, `${path}.${key}`)
  }
  visit(document, '')
  assert.deepEqual(lacking, [])
})

test('the detail of every problem in openapi.json consists of sentences', () => {
  const document = readFileSync(new URL('../openapi.json', import.meta.url), 'utf8')
  const details: string[] = []
  JSON.parse(document, (key, value) => {
    if (key === 'detail' && typeof value === 'string') details.push(value)
    return value
  })
  assert.ok(details.length > 100)
  for (const detail of details) assert.match(detail, /^[A-Z].*\.$/s)
})
