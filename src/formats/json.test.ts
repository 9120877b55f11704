import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { InvalidJson, readJson, toPathText } from './json.ts'

const read = (text: string): unknown => readJson(Buffer.from(text))

const faultOf = (input: string | Uint8Array): InvalidJson => {
  try {
    readJson(Buffer.from(input))
  } catch (error) {
    assert.ok(error instanceof InvalidJson, String(error))
    return error
  }
  throw new assert.AssertionError({ message: `${String(input).slice(0, 200)} was accepted` })
}

describe('JSON', () => {
  test('without duplicate keys is parsed as JSON.parse parses it', () => {
    fc.assert(
      fc.property(fc.jsonValue({ stringUnit: 'binary' }), fc.constantFrom(undefined, 1, '\t'), (value, space) => {
        const text = JSON.stringify(value, undefined, space)
        assert.deepEqual(read(text), JSON.parse(text))
      }),
      { numRuns: 1000 },
    )
  })

  test('with a duplicate key is rejected at any depth and with any escaping of the key', () => {
    for (const [text, path] of [
      ['{"a":1,"a":1}', 'a'],
      ['{"messages":[{"id":1}],"messages":[]}', 'messages'],
      ['{"a":1,"\\u0061":2}', 'a'],
      ['{"\\u0061\\u0062":1,"a\\u0062" : 2}', 'ab'],
      ['{"/":1,"\\/":2}', '["/"]'],
      ['{"":1,"":2}', '[""]'],
      ['{"é":1,"\\u00e9":2}', '["é"]'],
      ['{"😀":1,"\\ud83d\\ude00":2}', '["😀"]'],
      ['{"\\ud800":1,"\\uD800":2}', '["\ufffd"]'],
      ['{"__proto__":{},"__proto__":1}', '__proto__'],
      ['{"constructor":1,"constructor":1}', 'constructor'],
      ['{"1":1,"0":1,"1":1}', '1'],
      ['{"\\"":1,"\\\\":2,"\\u0022":3}', '["\\""]'],
      ['{"a":{"b":1,"c":{"d":[]},"b":[{"e":1}]}}', 'a.b'],
      ['[0,[],{"a":[1,{"b c":1,"x":"b c","b c":2}]}]', '[2].a[1]["b c"]'],
      ['{"a":"\\\\","b":"\\"a\\":","a"\n\t:\r 1}', 'a'],
      ['{"a":{"a":{"a":1,"b":":","a":{}}}}', 'a.a.a'],
    ] as const) {
      const { fault, message } = faultOf(text)
      assert.equal(fault, 'duplicate-key', text)
      assert.equal(message, `must be JSON without duplicate keys; ${path} appears twice`)
    }
  })

  test('may repeat a key in another object, as a value or inside a string', () => {
    for (const text of [
      '[{"a":1},{"a":1}]',
      '{"a":{"a":{"a":["a","a"]}}}',
      '{"a":"\\"a\\":1,\\"a\\":1","b":["a",":"]}',
      '{"a":1,"A":2,"a ":3,"\\u0000":4,"a\\u0000":5}',
      '{"é":1,"e\\u0301":2}',
      '{"__proto__":1,"constructor":{"prototype":{}}}',
      '{"1":1,"1.0":1,"01":1}',
      '{"a":":b","c":" : d","::":1,":\\":":[":","\\":"]}',
      ' "a" ',
      'null',
    ]) {
      assert.deepEqual(read(text), JSON.parse(text))
    }
  })

  test('that is valid becomes invalid when any key of an object is repeated', () => {
    const object = fc.dictionary(fc.string({ unit: 'binary', maxLength: 4 }), fc.jsonValue({ maxDepth: 2 }), {
      minKeys: 1,
    })
    const escaped = (key: string): string =>
      `"${Array.from({ length: key.length }, (_, at) => `\\u${key.charCodeAt(at).toString(16).padStart(4, '0')}`).join('')}"`
    fc.assert(
      fc.property(
        object,
        fc.jsonValue(),
        fc.nat(),
        fc.boolean(),
        fc.array(fc.boolean()),
        (one, value, which, isEscaped, nest) => {
          const keys = Object.keys(one)
          const key = keys[which % keys.length] as string
          let text = `${JSON.stringify(one).slice(0, -1)},${isEscaped ? escaped(key) : JSON.stringify(key)}:${JSON.stringify(value)}}`
          let good = JSON.stringify(one)
          for (const inArray of nest) {
            text = inArray ? `[0,${text}]` : `{"a":[],"b":${text}}`
            good = inArray ? `[0,${good}]` : `{"a":[],"b":${good}}`
          }
          assert.equal(faultOf(text).fault, 'duplicate-key')
          assert.deepEqual(read(good), JSON.parse(good))
        },
      ),
    )
  })

  test('with invalid syntax or invalid UTF-8 is rejected with its position, without quoting the content', () => {
    for (const [input, fault, place] of [
      ['', 'not-json', { byte: 0, line: 1, column: 1 }],
      ['{"secret"', 'not-json', { byte: 9, line: 1, column: 10 }],
      ['{"é":\n "secret at position 3" x}', 'not-json', { byte: 31, line: 2, column: 25 }],
      ['{"a":1}\ufeff', 'not-json', undefined],
      ['{}{"secret":1}', 'not-json', { byte: 2, line: 1, column: 3 }],
      ['\ufeff\ufeff{}', 'not-json', undefined],
      ['["secret at position 1",]', 'not-json', undefined],
      ['\ufeff{"a":1,"a":2}', 'duplicate-key', { byte: 10, line: 1, column: 8 }],
      ["{'secret':1}", 'not-json', { byte: 1, line: 1, column: 2 }],
      ['{"a":NaN}', 'not-json', undefined],
      [Buffer.from('{"é":"\xff"}', 'latin1'), 'not-utf-8', { byte: 3, line: 1, column: 4 }],
      [Buffer.concat([Buffer.from('["é",\n"'), Buffer.from([0xed, 0xa0, 0x80])]), 'not-utf-8', undefined],
      [Buffer.from([0x22, 0xe2, 0x82]), 'not-utf-8', undefined],
      [Buffer.from('{}', 'utf16le'), 'not-json', undefined],
    ] as const) {
      const error = faultOf(input)
      assert.equal(error.fault, fault, String(input))
      if (place !== undefined) assert.deepEqual(error.place, place, String(input))
      assert.doesNotMatch(error.message, /secret/)
    }
  })

  test('may start with a byte order mark, but not in the middle of a stream', () => {
    assert.deepEqual(read('\ufeff {"a":1}'), { a: 1 })
    assert.deepEqual(read('["\ufeff"]'), ['\ufeff'])
    assert.throws(() => readJson(Buffer.from('\ufeff1'), { isStart: false }), InvalidJson)
  })

  test('has errors that shorten a long key and show only both ends of a deep path', () => {
    const long = 'k'.repeat(100_000)
    assert.ok(faultOf(`{"${long}":1,"${long}":2}`).message.length < 200)
    const deep = `${'{"a":'.repeat(50_000)}{"b":1,"b":2}${'}'.repeat(50_000)}`
    assert.ok(faultOf(deep).message.length < 200)
    assert.equal(toPathText(['a', 0, 'b']), 'a[0].b')
  })

  test('takes linear time, even for hostile input', () => {
    const shapes: readonly ((size: number) => string)[] = [
      (size) => `${'['.repeat(size / 2)}${']'.repeat(size / 2)}`,
      (size) => `${'{"a":'.repeat(size / 6)}{"b":1,"b":2}${'}'.repeat(size / 6)}`,
      (size) => `{${Array.from({ length: size / 12 }, (_, key) => `"k${key}":1`).join(',')},"k0":2}`,
      (size) => `{"a":1,"${'k'.repeat(size / 2)}":1,"${'k'.repeat(size / 2)}":1}`,
      (size) => `{"a":"${'\\"'.repeat(size / 2)}","a":1}`,
      (size) => `{"a":"${'\\\\'.repeat(size / 2)}","a":1}`,
      (size) => `{${'"\\u0061":1,'.repeat(size / 11)}"a":1}`,
      (size) => `{"a":1,${' '.repeat(size)}"a"${' '.repeat(size)}:1}`,
      (size) => `[${'"a" ,'.repeat(size / 5)}"a"]`,
      (size) => `{${Array.from({ length: size / 12 }, (_, key) => `"${key}":1`).join(',')},"0":2}`,
    ]
    const timeOf = (work: () => unknown): number => {
      const startedAt = performance.now()
      try {
        work()
      } catch (error) {
        if (!(error instanceof InvalidJson)) throw error
      }
      return performance.now() - startedAt
    }
    for (const [index, shape] of shapes.entries()) {
      const text = shape(1_600_000)
      const bytes = Buffer.from(text)
      const [parsing, reading] = [timeOf(() => JSON.parse(text)), timeOf(() => readJson(bytes))]
      // Quadratic time would take an hour.
      assert.ok(
        reading < 20 * parsing + 2000,
        `shape ${index}: ${reading.toFixed(0)} ms, JSON.parse ${parsing.toFixed(0)}`,
      )
    }
  })
})
