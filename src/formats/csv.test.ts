import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { CsvReader, type CsvRecord } from './csv.ts'

const read = (text: string, delimiter = ',', size = 1_000_000): readonly CsvRecord[] => {
  const reader = new CsvReader(delimiter)
  const records: CsvRecord[] = []
  for (let at = 0; at < text.length; at += size) records.push(...reader.push(text.slice(at, at + size)))
  records.push(...reader.end())
  return records
}

/** `[line, …fields]`, or `['!', first line, last line, problem's line, problem's column]`. */
const plain = (record: CsvRecord): readonly (string | number)[] =>
  'fields' in record
    ? [record.line, ...record.fields]
    : ['!', record.line, record.lastLine, record.problem.line, record.problem.column]

for (const [what, text, expected] of [
  [
    'LF',
    'a,b\n1,2\n3,4\n',
    [
      [1, 'a', 'b'],
      [2, '1', '2'],
      [3, '3', '4'],
    ],
  ],
  [
    'CRLF',
    'a,b\r\n1,2\r\n3,4',
    [
      [1, 'a', 'b'],
      [2, '1', '2'],
      [3, '3', '4'],
    ],
  ],
  [
    'CR',
    'a,b\r1,2\r3,4\r',
    [
      [1, 'a', 'b'],
      [2, '1', '2'],
      [3, '3', '4'],
    ],
  ],
  [
    'CRLF after LF after CR',
    'a,b\r1,2\n3,4\r\n5,6',
    [
      [1, 'a', 'b'],
      [2, '1', '2'],
      [3, '3', '4'],
      [4, '5', '6'],
    ],
  ],
  [
    'line ends inside quotes',
    '"a\r\nb\rc\nd",2\n3,"4"\r\n',
    [
      [1, 'a\r\nb\rc\nd', '2'],
      [5, '3', '4'],
    ],
  ],
  [
    'empty lines',
    '\n\r\na\n\n\nb\n\n',
    [
      [3, 'a'],
      [6, 'b'],
    ],
  ],
  [
    'doubled quotes',
    '"""a""",""\n"""",b',
    [
      [1, '"a"', ''],
      [2, '"', 'b'],
    ],
  ],
  [
    'empty fields',
    ',\n,,\n"",',
    [
      [1, '', ''],
      [2, '', '', ''],
      [3, '', ''],
    ],
  ],
  ['spaces around fields, which are kept', ' a , b\n', [[1, ' a ', ' b']]],
  [
    'a quote inside an unquoted field',
    'a,b"c\nd,e',
    [
      ['!', 1, 1, 1, 4],
      [2, 'd', 'e'],
    ],
  ],
  [
    'text after a closing quote',
    '"a\nb"c,d\r\ne',
    [
      ['!', 1, 2, 2, 3],
      [3, 'e'],
    ],
  ],
  [
    'a space before a quote',
    'a, "b\nc"',
    [
      ['!', 1, 1, 1, 4],
      ['!', 2, 2, 2, 2],
    ],
  ],
  [
    'an unclosed quote',
    'a,b\nc,"d\ne,f\n',
    [
      [1, 'a', 'b'],
      ['!', 2, 3, 2, 3],
    ],
  ],
] as const) {
  test(`CSV with ${what} is read correctly for chunks of any size`, () => {
    for (const size of [1, 2, 3, 1_000_000]) assert.deepEqual(read(text, ',', size).map(plain), expected, `${size}`)
  })
}

test('a problem says what is wrong without quoting the text', () => {
  for (const record of read('x"secret\n"secret"secret\n"secret')) {
    assert.ok('problem' in record)
    assert.match(record.problem.reason, /quote/)
    assert.doesNotMatch(JSON.stringify(record), /secret/)
  }
})

test('any fields written according to RFC 4180 are read back unchanged, with any line ends', () => {
  const field = fc.string({ unit: fc.constantFrom('a', '"', ',', ';', '\n', '\r', ' ', 'é', '😀') })
  const row = fc.array(field, { minLength: 2, maxLength: 4 })
  fc.assert(
    fc.property(
      fc.array(fc.tuple(row, fc.constantFrom('\n', '\r\n', '\r'))),
      fc.constantFrom(',', ';', '\t'),
      fc.integer({ min: 1, max: 7 }),
      (rows, delimiter, size) => {
        const quoted = (text: string): string => (/["\n\r,;\t]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text)
        const text = rows.map(([fields, end]) => fields.map(quoted).join(delimiter) + end).join('')
        const found = read(text, delimiter, size).map((record) => ('fields' in record ? record.fields : record.problem))
        assert.deepEqual(
          found,
          rows.map(([fields]) => fields),
        )
      },
    ),
  )
})

test('a record of many megabytes takes linear time', () => {
  const text = `1,"${'a'.repeat(8_000_000)}"\n`
  const [record] = read(text, ',', 1000)
  assert.ok(record !== undefined && 'fields' in record)
  assert.equal(record.fields[1]?.length, 8_000_000)
})
