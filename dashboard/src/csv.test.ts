import assert from 'node:assert/strict'
import { test } from 'node:test'
import { csvName, toCsv } from './csv.ts'
import type { Line } from './usage.ts'

const lineWith = (given: Partial<Line>): Line => ({
  id: 1,
  at: Date.parse('2024-05-10T09:30:15Z'),
  timestamp: '2024-05-10T11:30:15+02:00',
  ...{ report: undefined, member: undefined, team: undefined, model: undefined, feature: undefined },
  outcome: 'succeeded',
  micros: 0,
  unpriced: undefined,
  ...given,
})

const rowsOf = (lines: readonly Line[], timeZone = 'UTC'): readonly string[] => toCsv(lines, timeZone).split('\r\n')

test('begins with the mark of UTF-8 and the names of the fields, and has every digit and the reason if there is no price', () => {
  const lines = [
    lineWith({ id: -7, micros: 1, report: 'A, "B"', member: 'Zoë Müller' }),
    lineWith({ micros: 2_264_400_000, team: 'research', model: 'gpt-5.4', feature: 'chat', outcome: 'failed' }),
    lineWith({ micros: undefined, unpriced: 'the model "x" has no price' }),
  ]
  assert.equal(
    toCsv(lines, 'America/New_York'),
    [
      '\ufeffmessage_id,time,timestamp,report_name,credits_used,user_id,team_id,model,feature,outcome,unpriced',
      '-7,2024-05-10 05:30:15,2024-05-10T11:30:15+02:00,"A, ""B""",0.000001,Zoë Müller,,,,succeeded,',
      '1,2024-05-10 05:30:15,2024-05-10T11:30:15+02:00,,2264.4,,research,gpt-5.4,chat,failed,',
      '1,2024-05-10 05:30:15,2024-05-10T11:30:15+02:00,,,,,,,succeeded,"the model ""x"" has no price"',
      '',
    ].join('\r\n'),
  )
})

test('writes a text as one that a spreadsheet keeps if it looks like a number, a date or a truth value', () => {
  const cellOf = (id: number | string): string => rowsOf([lineWith({ id })])[1]?.split(',2024-')[0] ?? ''
  const kept = [
    '007',
    '42',
    '-7',
    '1-2',
    '1/2',
    '1e5',
    '12:30',
    'MAR1',
    '1-Mar',
    '2 March 2024',
    'TRUE',
    '50%',
    '+49 30',
  ]
  for (const id of [...kept, '9007199254740993']) assert.equal(cellOf(id), `"=""${id}"""`)
  assert.equal(cellOf(9_007_199_254_740_991), '"=""9007199254740991"""')
  assert.equal(cellOf(999_999_999_999_999), '999999999999999')
  for (const id of ['a1', 'maya', 'may', 'march-hare 1', 'm-1', '1b4e28ba-2fa1', 'x007', 'true story', '3rd']) {
    assert.equal(cellOf(id), id)
  }
})

test('has no cell that a spreadsheet would run as a formula, not even behind white space', () => {
  for (const start of ['=', '+', '-', '@', ' =', '\t=', '\u00a0=', '\u200b=', ' \t @', '＝', '\t', '\r', '\n']) {
    const [, row = ''] = toCsv([lineWith({ member: `${start}cmd()` })], 'UTC').split(/\r\n(?=1,)/)
    assert.match(row, /,"?'[^']*cmd\(\)"?,,/s, JSON.stringify(start))
  }
  const [, row] = rowsOf([lineWith({ id: '="x' })])
  assert.ok(row?.startsWith(`"'=""x",`))
})

test('is named after the organization and the days', () => {
  const [from, to] = [Date.parse('2026-11-01T05:00:00Z'), Date.parse('2026-12-01T05:00:00Z')]
  assert.equal(csvName('acme', from, to, 'America/New_York'), 'copilot-credits_acme_2026-11-01_2026-11-30.csv')
})
