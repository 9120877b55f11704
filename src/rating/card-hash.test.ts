import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { canonicalJson } from './canonical-json.ts'
import { cardHash } from './card-hash.ts'
import { parseCard } from './parse-card.ts'

describe('the canonical JSON of RFC 8785', () => {
  test('its first example: numbers, escapes and literals', () => {
    const input = JSON.parse(
      String.raw`{
        "numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],
        "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/",
        "literals": [null, true, false]
      }`,
    )
    assert.equal(
      canonicalJson(input),
      String.raw`{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],"string":"€$\u000f\nA'B\"\\\\\"/"}`,
    )
  })

  test('its example of sorting: by UTF-16 code units, not by code points', () => {
    const input = JSON.parse(
      String.raw`{
        "\u20ac": "Euro Sign", "\r": "Carriage Return", "\ufb33": "Hebrew Letter Dalet With Dagesh", "1": "One",
        "\ud83d\ude00": "Emoji: Grinning Face", "\u0080": "Control", "\u00f6": "Latin Small Letter O With Diaeresis"
      }`,
    )
    assert.deepEqual(Object.values(JSON.parse(canonicalJson(input).replace('"1":', '"one":'))), [
      'Carriage Return',
      'One',
      'Control',
      'Latin Small Letter O With Diaeresis',
      'Euro Sign',
      'Emoji: Grinning Face',
      'Hebrew Letter Dalet With Dagesh',
    ])
  })

  test('numbers of its appendix B', () => {
    for (const [number, text] of [
      [-0, '0'],
      [5e-324, '5e-324'],
      [Number.MAX_VALUE, '1.7976931348623157e+308'],
      [9007199254740992, '9007199254740992'],
      [295147905179352830000, '295147905179352830000'],
      [9.999999999999997e22, '9.999999999999997e+22'],
      [1e21, '1e+21'],
      [999999999999999900000, '999999999999999900000'],
      [0.000001, '0.000001'],
      [9.999999999999997e-7, '9.999999999999997e-7'],
    ] as const) {
      assert.equal(canonicalJson(number), text)
    }
  })
})

describe('the hash of a card', () => {
  const hashOf = (json: string): string => cardHash(parseCard(JSON.parse(json)))
  const card =
    '{"version":"v","cases":[{"name":"a","lines":[{"rule":"r","rate":1}]}],"outcomes":{"failed":0,"utility":0}}'

  test('is SHA-256 of its canonical JSON', () => {
    assert.equal(hashOf(card), '6a8b1d4f5ca5591c39e0db3de018aacb6b4a0b801719af7da38fb7677ca4d89f')
  })

  test('does not depend on white space, the order of members, or how a number is written', () => {
    const other = `{ "outcomes": {"utility": 0.0, "failed": -0}, "cases": [{"lines": [{"rate": 1.0e0, "rule": "r"}], "name": "a"}],
      "version": "v" }`
    assert.equal(hashOf(other), hashOf(card))
  })

  test('depends on every value, and on the order of lists', () => {
    const line = (rule: string) => `{"rule":"${rule}","rate":1}`
    const cards = [
      card,
      card.replace('"v"', '"w"'),
      card.replace('"rate":1', '"rate":1.000001'),
      card.replace('"utility":0', '"utility":1'),
      card.replace(line('r'), `${line('r')},${line('s')}`),
      card.replace(line('r'), `${line('s')},${line('r')}`),
    ]
    assert.equal(new Set(cards.map(hashOf)).size, cards.length)
  })
})
