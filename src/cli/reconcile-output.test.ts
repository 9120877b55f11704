import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { parseExactly, toCsv } from './reconcile-output.ts'

const csvOf = (user: string): string => {
  const json = `{"comparisons":[{"date":"2026-10-05","user":${JSON.stringify(user)},"messages":1,"credits":9007199254740993.5}]}`
  const [, row = ''] = toCsv(parseExactly(json)).split('\r\n')
  return row
}

describe('a line of CSV', () => {
  for (const user of ['=1+1', '+1', '-1', '@a', '\t1', '  =1', '\u200b=1', '＝1', '＠a']) {
    test(`has ${JSON.stringify(user)} as a text, which a spreadsheet does not run`, () => {
      assert.ok(csvOf(user).startsWith(`2026-10-05,'${user},`), csvOf(user))
    })
  }

  test('has other names as they are', () => {
    assert.ok(csvOf('ada=1').startsWith('2026-10-05,ada=1,'))
  })

  test('has every digit of an amount', () => {
    assert.ok(csvOf('ada').includes(',9007199254740993.5,'))
  })
})
