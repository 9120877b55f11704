import assert from 'node:assert/strict'
import { test } from 'node:test'
import { canonicalReportId, parseId } from './report.ts'

test('a text names a number only if it is how that number is written', () => {
  for (const number of [0, 5392, -1, Number.MAX_SAFE_INTEGER]) assert.equal(parseId(String(number)), number)
  for (const text of ['', 'abc', '05', '+5', '-0', '5.0', ' 5', '1e3', '0x10', 'NaN', '9007199254740992'])
    assert.equal(parseId(text), text)
})

test('a report has one canonical id, however its id is written', () => {
  assert.equal(canonicalReportId('5392'), 5392)
  assert.ok(Object.is(canonicalReportId(-0), 0), 'JSON allows -0')
})
