import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { exactNumber, roundedAmong } from './json-numbers.ts'

const roundedIn = (text: string): string | undefined =>
  roundedAmong(Buffer.from(text), JSON.parse(text), ['id', 'cost'])

test('a number that a double holds exactly is not reported, in any notation', () => {
  for (const number of [
    '5392',
    '-5',
    '0',
    '1e3',
    '1E+3',
    '1000.0',
    '0.1',
    '0.10',
    '12.5',
    '9007199254740991',
    '1e21',
    '-0.0',
  ]) {
    for (const text of [
      `{"id":${number}}`,
      `{"x":[{"id":9007199254740993}],"text":"\\"id\\":1e-400","id" :\n${number} ,"a":1}`,
    ]) {
      assert.equal(roundedIn(text), undefined, text)
    }
  }
})

test('a number that loses a digit is reported', () => {
  const lost = [
    '9007199254740993',
    '9007199254740990.5',
    '1.00000000000000000001',
    '1e-400',
    '1e400',
    '12.500000000000000001',
    '-9007199254740993',
  ]
  for (const number of lost) {
    assert.equal(roundedIn(`{"id":${number}}`), 'id', number)
    assert.equal(roundedIn(`{"id":"a","c\\u006fst": ${number}}`), 'cost', number)
  }
})

test('a number that loses a digit is found at any depth of the named keys, and nowhere else', () => {
  const roundedWithin = (text: string): string | undefined =>
    roundedAmong(Buffer.from(text), JSON.parse(text), ['usage', 'quantities'])
  const bad = '9007199254740993'
  for (const [text, path] of [
    [`{"usage":{"input_tokens":${bad}}}`, 'usage.input_tokens'],
    [`{"usage": {"a": 1, "b": {"c": [0, {"d": 5}, ${bad}]}}}`, 'usage.b.c[2]'],
    [`{"usage":{"a":{"b":1},"c":[],"d":{},"e":1e400}}`, 'usage.e'],
    [`{"usage":{"a" :["x",${bad}]}}`, 'usage.a[1]'],
    [`{"quantities":{"a\\u0062":0.1000000000000000055}}`, 'quantities.ab'],
    [`{"text":"\\\\","x":{"usage":${bad}},"quantities":{"p":1.00000000000000000001}}`, 'quantities.p'],
    [
      `{"text":"{\\"usage\\":[${bad},","id":${bad},"other":{"usage":{"a":${bad}}},"usage":{"a":1},"quantities":{}}`,
      undefined,
    ],
    [`{"usage":{"a":"${bad}","b":[true,null,0.1,10000000000000000000000]},"quantities":{"p":1E+3}}`, undefined],
    [`{"usage":null,"quantities":[0.30000000000000004,1.4e-05,1000.0000000000000000]}`, undefined],
  ] as const) {
    assert.equal(roundedWithin(text), path, text)
  }
  const text = JSON.stringify({ text: '"\\\n'.repeat(2_000_000), usage: { a: 0.30000000000000004 } })
  assert.equal(roundedWithin(text), undefined)
  const deep = `{"usage":${'['.repeat(50_000)}${bad}${']'.repeat(50_000)}}`
  assert.match(roundedWithin(deep) ?? '', /^usage\[0\]/)
})

test('no number that JavaScript itself writes is reported', () => {
  fc.assert(
    fc.property(
      fc.double({ noNaN: true, noDefaultInfinity: true }),
      (id) =>
        roundedIn(JSON.stringify({ id })) === undefined &&
        roundedIn(JSON.stringify({ cost: { a: [id] } })) === undefined,
    ),
  )
})

test('a number in plain digits is read if a double holds it exactly', () => {
  for (const [text, number] of [
    ['0', 0],
    ['-5', -5],
    ['1200.0', 1200],
    ['1.50', 1.5],
    ['1.4e-05', 0.000014],
    ['9007199254740991', 9_007_199_254_740_991],
  ] as const) {
    assert.equal(exactNumber(text), number)
  }
  for (const text of [
    '9007199254740993',
    '0.10000000000000000001',
    '1e-400',
    '1e5',
    '1E-5',
    '007',
    '.5',
    '5.',
    '',
    ' 1',
    'NaN',
  ]) {
    assert.equal(exactNumber(text), undefined, text)
  }
})
