import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import type { ChargeLine } from '#model/charge.ts'
import { credits, toDecimal } from '#model/credits.ts'
import { isNaivePalindrome, naivePrice, naiveThirdVowels, naiveWords } from '../../test/naive-rating.ts'
import { readLargeTexts, readMessages, readReports, skipWithout } from '../../test/shared-data.ts'
import { anyText, mirroredText, wordyText } from '../../test/texts.ts'
import { measure } from './measure.ts'
import { chargeOfText, standardCard } from './standard-card.ts'

const chargeOf = (text: string) => chargeOfText(measure(text))
const costOf = (text: string) => toDecimal(chargeOf(text).credits)
const ruleOf = (text: string, rule: string) => chargeOf(text).lines.filter((line) => line.rule === rule)
const quantityOf = (text: string, rule: string) => ruleOf(text, rule).reduce((sum, line) => sum + line.quantity, 0)

describe('the price of a text', () => {
  const known: readonly (readonly [string, string])[] = [
    ['', '1'],
    ['a', '2'],
    ['!!!', '1.15'],
    ['-', '1.05'],
    ["'-'", '1.15'],
    ['orbital latibro', '2.1'],
    ['What is the lease term?', '1.85'],
    ['1', '2.1'],
    ['👍', '1.05'],
    ['\ud800', '1.05'],
    ['no no', '1.45'],
  ]
  for (const [text, expected] of known) {
    test(`${JSON.stringify(text)} costs ${expected}`, () => assert.equal(costOf(text), expected))
  }

  test('a text of 100 code points has no penalty, and one of 101 costs five credits more', () => {
    assert.deepEqual(ruleOf('.'.repeat(100), 'length-penalty'), [])
    assert.equal(costOf('.'.repeat(100)), '6')
    assert.equal(costOf('.'.repeat(101)), '11.05')
    assert.equal(quantityOf('👍'.repeat(100), 'length-penalty'), 0)
    assert.equal(quantityOf('👍'.repeat(101), 'length-penalty'), 1)
  })

  test('every code point counts once: white space, combining marks, an emoji, a lone surrogate', () => {
    for (const [text, count] of [
      [' \n\t', 3],
      ['e\u0301', 2],
      ['👍', 1],
      ['👍🏽', 2],
      ['\ud83d', 1],
      ['\udc00\ud800', 2],
      ['\u0000', 1],
    ] as const) {
      assert.equal(quantityOf(text, 'characters'), count, JSON.stringify(text))
    }
  })

  test('words are priced by their length in code points: 1 to 3, 4 to 7, 8 or more', () => {
    const bands = (text: string) =>
      ruleOf(text, 'words').map(({ band, quantity, rate }) => [band?.from, band?.to, quantity, toDecimal(rate)])
    assert.deepEqual(bands('a bcd 1'), [[1, 3, 2, '0.1']])
    assert.deepEqual(bands('abcd abcdefg'), [[4, 7, 2, '0.2']])
    assert.deepEqual(bands('abcdefgh'), [[8, undefined, 1, '0.3']])
    assert.deepEqual(bands(`abcdefgh${'x'.repeat(5000)}`), [[8, undefined, 1, '0.3']])
    assert.deepEqual(bands('a abcd abcdefgh'), [
      [1, 3, 1, '0.1'],
      [4, 7, 1, '0.2'],
      [8, undefined, 1, '0.3'],
    ])
  })

  test('a word is a run of letters, marks, apostrophes and hyphens with at least one letter', () => {
    for (const [text, lengths] of [
      ["don't", [5]],
      ['dog78cat', [3, 3]],
      ['don’t', [3, 1]],
      ['é', [1]],
      ['Résumé', [6]],
      ['Re\u0301sume\u0301', [8]],
      ['tenant-at-will', [14]],
      ["- ' -' '-", []],
      ["'a", [2]],
      ['a-', [2]],
      ['\u0301', []],
      ['\u0301a', [2]],
      ['नमस्ते', [6]],
      ['租约 条款', [2, 2]],
      ['12 34', []],
      ['a_b', [1, 1]],
      ['Ⅷ', []],
      ['a\ud800b', [1, 1]],
    ] as const) {
      const counted = measure(text).wordLengths.flatMap((count, index) => Array(count).fill(index + 1))
      assert.deepEqual(
        counted,
        [...lengths].sort((one, other) => one - other),
        JSON.stringify(text),
      )
    }
  })

  test('a third vowel is an ASCII vowel at the 3rd, 6th, 9th, … code point of the whole text', () => {
    for (const [text, count] of [
      ['aa', 0],
      ['aaa', 1],
      ['aaaaaa', 2],
      ['..E..u..y', 2],
      ['..é', 0],
      ['👍👍a', 1],
      ['\ud800\ud800a', 1],
      ['éa.', 0],
      ['..A', 1],
    ] as const) {
      assert.equal(quantityOf(text, 'third-vowels'), count, text)
    }
  })

  test('words that differ in case or in normalization form are different; two equal words lose the discount', () => {
    for (const text of ['Lease lease', 'é e\u0301', "don't dont", 'abcdefghi abcdXfghi', 'abcdefgh abcdefghi']) {
      assert.equal(ruleOf(text, 'unique-words').length, 1, text)
    }
    for (const text of ['lease lease', 'é é', 'a b a', 'abcdefghijkl-xyz abcdefghijkl-xyz', '- 1 2']) {
      assert.equal(ruleOf(text, 'unique-words').length, 0, text)
    }
  })

  test('the minimum applies after the discount and before the doubling of a palindrome', () => {
    assert.deepEqual(
      chargeOf('a').lines.map(({ rule, credits: amount }) => [rule, toDecimal(amount)]),
      [
        ['base', '1'],
        ['characters', '0.05'],
        ['words', '0.1'],
        ['unique-words', '-2'],
        ['minimum', '1.85'],
        ['palindrome', '1'],
      ],
    )
  })

  test('a palindrome costs twice as much', () => {
    for (const text of [
      'A man, a plan, a canal: Panama!',
      '12 21',
      'Was it a car',
      'Оно',
      'Σας',
      'İi',
      'ß',
      '²2²',
      '𐐀𐐨',
      '\ud800aa\udc00',
      'e\u0301e',
    ]) {
      const expected = isNaivePalindrome([...text])
      assert.equal(measure(text).palindrome, expected, text)
    }
    assert.ok(measure('A man, a plan, a canal: Panama!').palindrome)
    assert.ok(measure('𐐀𐐨').palindrome)
    assert.ok(!measure('Σας').palindrome, 'ς is not σ')
    assert.ok(!measure('').palindrome)
    assert.ok(!measure('...').palindrome)
    assert.ok(!measure('\u0301').palindrome)
  })
})

describe('measure and price against the naive rules', () => {
  const agrees = (text: string): void => {
    const measurement = measure(text)
    const words = naiveWords(text)
    assert.equal(measurement.codePoints, [...text].length)
    assert.equal(measurement.thirdVowels, naiveThirdVowels([...text]))
    assert.equal(measurement.wordsDiffer, new Set(words).size === words.length)
    assert.equal(measurement.palindrome, isNaivePalindrome([...text]))
    assert.equal(BigInt(chargeOfText(measurement).credits), naivePrice(text))
    assert.equal(standardCard.total({ measurement }), Number(naivePrice(text)))
  }

  test('agree on any text', () => fc.assert(fc.property(anyText(), agrees), { numRuns: 3000 }))
  test('agree on texts with repeated words', () => fc.assert(fc.property(wordyText(), agrees), { numRuns: 3000 }))
  test('agree on mirrored texts', () => fc.assert(fc.property(mirroredText(), agrees), { numRuns: 3000 }))
  test('agree on long texts of every script', () => {
    fc.assert(
      fc.property(anyText(40), fc.integer({ min: 1, max: 2000 }), (text, times) => agrees(text.repeat(times))),
      { numRuns: 60 },
    )
  })

  test('agree on every code point: alone, between letters, and doubled', () => {
    for (let codePoint = 0; codePoint < 0x110000; codePoint++) {
      const character = String.fromCodePoint(codePoint)
      const measurement = measure(`${character}a${character}`)
      const words = naiveWords(`${character}a${character}`)
      const counted = measurement.wordLengths.reduce((sum, count) => sum + count, 0)
      const read = isNaivePalindrome([character])
      const agreed =
        measurement.codePoints === 3 &&
        counted === words.length &&
        measurement.wordsDiffer === (new Set(words).size === words.length) &&
        measure(character).palindrome === read &&
        measurement.palindrome &&
        measure(character + character.toLowerCase()).palindrome ===
          isNaivePalindrome([...(character + character.toLowerCase())])
      if (!agreed) assert.fail(`U+${codePoint.toString(16)}`)
    }
  })

  test('agree on thousands of different words, more than the table holds, with and without a repetition', () => {
    const words = Array.from(
      { length: 5000 },
      (_, index) => `word${index.toString(36).replace(/\d/g, 'x')}${'y'.repeat(index % 50)}`,
    )
    const different = [...new Set(words)].join(' ')
    assert.ok(measure(different).wordsDiffer)
    assert.ok(!measure(`${different} ${words[0]}`).wordsDiffer)
    assert.ok(measure(different.slice(0, 12_000)).wordsDiffer)
    agrees(different)
    agrees(`${different.slice(0, 12_000)} ${words[3]}`)
  })

  test('agree on texts just below and just above the length that needs its own buffer', () => {
    for (const length of [16_383, 16_384, 16_385, 65_535, 65_536, 70_000]) {
      for (const unit of ['ab ', 'é ', '租', '👍a', "a'b-"]) {
        agrees(unit.repeat(Math.ceil(length / unit.length)).slice(0, length))
      }
    }
  })

  test('words far into a long text are compared like any others', () => {
    for (const filler of [60_000, 70_000, 140_000]) {
      const long = 'x'.repeat(filler)
      assert.ok(!measure(`${long} abcdMIDDLEefgh abcdMIDDLEefgh`).wordsDiffer, String(filler))
      assert.ok(measure(`${long} abcdMIDDLEefgh abcdmiddleefgh`).wordsDiffer, String(filler))
      agrees(`${long}é abcdMIDDLEefgh abcdMIDDLEefgh`)
    }
  })

  test('one text never affects the measurement of the next', () => {
    const texts = ['lease', 'x'.repeat(40), '', 'é', 'lease term', '-', 'a '.repeat(9000), 'lease']
    const alone = texts.map((text) => JSON.stringify(measure(text)))
    assert.deepEqual(
      texts.toReversed().map((text) => JSON.stringify(measure(text))),
      alone.toReversed(),
    )
  })

  test('words crafted to collide in the hash table are still told apart', () => {
    // Equal in their first four bytes, last four bytes and length, so they all have the same hash.
    const colliding = (count: number) =>
      Array.from(
        { length: count },
        (_, index) => `aaaa${index.toString(2).padStart(14, '0').replace(/0/g, 'x').replace(/1/g, 'y')}zzzz`,
      )
    const text = colliding(4000).join(' ')
    assert.ok(measure(text).wordsDiffer)
    assert.ok(measure(colliding(700).join(' ')).wordsDiffer)
    assert.ok(!measure(`${colliding(700).join(' ')} ${colliding(1)[0]}`).wordsDiffer)
  })
})

describe('a charge', () => {
  const addsUp = (lines: readonly ChargeLine[], total: number): void => {
    for (const line of lines) assert.equal(line.quantity * line.rate, line.credits, line.rule)
    assert.equal(
      lines.reduce((sum, line) => sum + line.credits, 0),
      total,
    )
  }

  test('has lines that add up to its total exactly, each its quantity times its rate', () => {
    fc.assert(
      fc.property(fc.oneof(anyText(), wordyText(), mirroredText()), (text) => {
        const charge = chargeOf(text)
        addsUp(charge.lines, charge.credits)
      }),
      { numRuns: 2000 },
    )
  })

  test('of a report is the cost of the report', () => {
    const report = { id: 1, credits: credits(61_250_000) }
    assert.deepEqual(standardCard.price({ measurement: measure('a text'), report }), {
      status: 'priced',
      credits: 61_250_000,
      case: 'report',
      lines: [{ rule: 'report', quantity: 61.25, rate: 1_000_000, credits: 61_250_000 }],
      unused: [],
    })
  })

  test('of a report that costs nothing has no line', () => {
    const pricing = standardCard.price({ report: { id: 1, credits: credits(0) } })
    assert.deepEqual(pricing, { status: 'priced', credits: 0, case: 'report', lines: [], unused: [] })
  })

  test('of a report that the catalogue does not have is the price of the text', () => {
    const measurement = measure('What is the lease term?')
    assert.equal(standardCard.total({ measurement, report: { id: 9634 } }), 1_850_000)
  })

  test('too large to be exact is rejected, not rounded', () => {
    const measurement = { codePoints: 2 ** 50, wordLengths: [], thirdVowels: 0, wordsDiffer: true, palindrome: false }
    assert.throws(() => standardCard.price({ measurement }), RangeError)
    assert.throws(() => standardCard.total({ measurement }), RangeError)
  })
})

describe('known bills', () => {
  const billOf = (messages: string, reports: string) => {
    const costs = new Map(readReports(reports).map((report) => [report.id, credits(report.credit_cost * 1_000_000)]))
    let total = 0
    let ofReports = 0
    for (const { text, report_id } of readMessages(messages)) {
      const cost = report_id === undefined ? undefined : costs.get(report_id)
      total += cost ?? chargeOf(text).credits
      ofReports += cost ?? 0
    }
    return [total, ofReports]
  }

  test('the published period costs 2,264.40 credits, 1,650 of them for reports', {
    skip: skipWithout('messages.current-period.json'),
  }, () => {
    assert.deepEqual(
      billOf('messages.current-period.json', 'reports.current-period.json'),
      [2_264_400_000, 1_650_000_000],
    )
  })

  test('the sample of 300 messages costs 10,316.65 credits', { skip: skipWithout('messages.sample.json') }, () => {
    assert.equal(billOf('messages.sample.json', 'reports.sample.json')[0], 10_316_650_000)
  })

  test('145,298 real texts cost 1,263,078.10 credits, and each costs what the naive rules say', {
    skip: skipWithout('messages.large.jsonl.gz'),
  }, () => {
    let total = 0
    for (const text of readLargeTexts()) {
      const cost = chargeOf(text).credits
      if (BigInt(cost) !== naivePrice(text)) assert.fail(`disagrees about ${text.length} characters`)
      total += cost
    }
    assert.equal(total, 1_263_078_100_000)
  })
})
