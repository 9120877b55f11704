import assert from 'node:assert/strict'
import { test } from 'node:test'
import { idOfCell, NotAnId, nameOfCell, reportIdOfCell } from './csv-cells.ts'

test('an integer id becomes a number, and any other id stays a string', () => {
  for (const [cell, id] of [
    ['5392', 5392],
    ['0', 0],
    ['-7', -7],
    ['9007199254740991', 9007199254740991],
    ['9007199254740993', '9007199254740993'],
    ['a', 'a'],
    ['msg_01:x-9', 'msg_01:x-9'],
    ['8c1f2e3a-0000-4000-8000-000000000001', '8c1f2e3a-0000-4000-8000-000000000001'],
    ['1.2.3', '1.2.3'],
    ['12-34', '12-34'],
    ['https://copilot.example/m 17', 'https://copilot.example/m 17'],
    ['Größe 5', 'Größe 5'],
    ['７号', '７号'],
  ] as const) {
    assert.equal(idOfCell(cell, false), id, cell)
  }
  assert.equal(idOfCell('5392', true), '5392')
  assert.equal(idOfCell('005392', true), '005392')
  assert.equal(reportIdOfCell('5392', true), 5392)
})

/** How pandas, R, SQL and spreadsheets rewrite an id or a missing value. */
const REWRITTEN = [
  ...[
    '5392.0',
    '5392.00',
    '5392.',
    '5392,0',
    '5,392',
    '5.392',
    "5'392",
    '5 392',
    '5\u00a0392',
    '5\u202f392',
    '1,234,567',
  ],
  ...['1E+15', '1.5E+15', '1e5', '1,23E+11', '5.392E3', '+5392', '−5392', '-0', '(5392)', '$5392', '5392%', '.5'],
  ...['005392', '-05', "'5392", '’5392', '="5392"', '=5392', '５３９２', '٥٣٩٢', '५३९२', '５３９2'],
  ...[
    ' 5392',
    '5392 ',
    '\t5392',
    '5392\u00a0',
    '\u00a05392',
    '5392\u200b',
    '\ufeff5392',
    '5392\u202e',
    '5392\n',
    ' abc',
  ],
  ...[
    'nan',
    'NaN',
    'NAN',
    'NA',
    'N/A',
    'n/a',
    '#N/A',
    '<NA>',
    'None',
    'NULL',
    'null',
    '(null)',
    'nil',
    'undefined',
    '\\N',
  ],
  ...['NaT', 'inf', '-inf', '#REF!', '#VALUE!', '#NAME?', '#DIV/0!', '########', '-', '--'],
]

test('rejects an id that a spreadsheet or data frame has rewritten', () => {
  for (const cell of REWRITTEN) {
    assert.ok(idOfCell(cell, false) instanceof NotAnId, JSON.stringify(cell))
    assert.ok(reportIdOfCell(cell, false) instanceof NotAnId, JSON.stringify(cell))
  }
})

test('rejects a rewritten id even if ids are strings', () => {
  for (const cell of ['1E+15', '1.23457E+15', 'NaN', '<NA>', '5392 ', '#N/A', '5392\u200b']) {
    assert.ok(idOfCell(cell, true) instanceof NotAnId, cell)
  }
})

test('rejects a placeholder or surrounding spaces as the name of a member', () => {
  for (const cell of ['nan', 'NULL', 'None', '#N/A', 'ada ', '\u00a0ada'])
    assert.ok(nameOfCell(cell) instanceof NotAnId, cell)
  for (const cell of ['ada', 'Ada Lovelace', 'ada@example.com', '17', '007', 'Nan Goldin'])
    assert.equal(nameOfCell(cell), cell)
})
