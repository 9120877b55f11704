import assert from 'node:assert/strict'
import { test } from 'node:test'
import { BadEncoding, encodingNamed, encodingOfMark, looksLikeUtf16, toUtf8 } from './text-encoding.ts'

const read = async (bytes: Buffer, encoding = 'utf-8', size = 1_000_000): Promise<string> => {
  async function* pieces() {
    for (let at = 0; at < bytes.length; at += size) yield Buffer.from(bytes.subarray(at, at + size))
  }
  const parts: Buffer[] = []
  for await (const part of toUtf8(pieces(), encoding)) {
    assert.ok(part.toString().isWellFormed(), 'a chunk ends inside a character')
    parts.push(part)
  }
  return Buffer.concat(parts).toString()
}

const TEXT = 'Résumé – “x” 日本語 😀\ufffd\nline'
const big = (bytes: Buffer): Buffer => Buffer.from(bytes).swap16()

test('text is the same in every Unicode encoding, with or without a byte order mark, for chunks of any size', async () => {
  for (const size of [1, 2, 3, 5, 1_000_000]) {
    assert.equal(await read(Buffer.from(TEXT), 'utf-8', size), TEXT)
    assert.equal(await read(Buffer.from(`\ufeff${TEXT}`), 'utf-8', size), TEXT)
    assert.equal(await read(Buffer.from(TEXT, 'utf16le'), 'utf-16le', size), TEXT)
    assert.equal(await read(Buffer.from(`\ufeff${TEXT}`, 'utf16le'), 'utf-16le', size), TEXT)
    assert.equal(await read(big(Buffer.from(`\ufeff${TEXT}`, 'utf16le')), 'utf-16be', size), TEXT)
  }
})

test('legacy encodings are decoded by name', async () => {
  assert.equal(await read(Buffer.from('R\xe9sum\xe9 \x96 \x80', 'latin1'), 'windows-1252', 1), 'Résumé – €')
  assert.equal(await read(Buffer.from('\xa4', 'latin1'), 'iso-8859-15'), '€')
  assert.equal(await read(Buffer.from([0x82, 0xa0, 0x41]), 'shift_jis', 1), 'あA')
  assert.equal(encodingNamed('latin1'), 'windows-1252')
  assert.equal(encodingNamed('cp850'), undefined)
})

test('an invalid byte is rejected with its line and column and a guess at the encoding', async () => {
  for (const [bytes, encoding, line, column, reason] of [
    [Buffer.from('abc\ndé R\xe9sum', 'latin1'), 'utf-8', 2, 2, /not valid UTF-8; .*windows-1252/],
    [Buffer.from('\xef\xf0\xe8\xe2\xe5\xf2 \xef\xf0', 'latin1'), 'utf-8', 1, 1, /windows-1251/],
    [Buffer.from('\r\rR\x8esum\x8e', 'latin1'), 'utf-8', 3, 2, /macintosh/],
    [Buffer.from('abc\n😀').subarray(0, -1), 'utf-8', 2, 1, /cut off/],
    [Buffer.concat([Buffer.from('a\né'), Buffer.from([0xed, 0xa0, 0x80])]), 'utf-8', 2, 2, /not valid UTF-8/],
    [Buffer.from('a\nb\x81', 'latin1'), 'windows-1252', 2, 2, /not valid windows-1252/],
    [Buffer.from('a\n\ud800b', 'utf16le'), 'utf-16le', 2, 1, /surrogate/],
    [Buffer.from('a\nb', 'utf16le').subarray(0, -1), 'utf-16le', 2, 1, /cut off/],
    [Buffer.from('a\nb\0c'), 'utf-8', 2, 2, /U\+0000/],
  ] as const) {
    for (const size of [1, 2, 1000]) {
      await assert.rejects(read(bytes, encoding, size), (error) => {
        assert.ok(error instanceof BadEncoding)
        assert.deepEqual([error.line, error.column], [line, column], `${bytes.toString('latin1')} ${size}`)
        if (size === 1000) assert.match(error.message, reason)
        return true
      })
    }
  }
})

test('a byte order mark decides the encoding, and UTF-16 without one is recognized', () => {
  assert.equal(encodingOfMark(Buffer.from('\ufeffa', 'utf16le')), 'utf-16le')
  assert.equal(encodingOfMark(Buffer.from([0xff, 0xfe, 0, 0])), 'utf-32')
  assert.equal(encodingOfMark(Buffer.from('a')), undefined)
  assert.equal(looksLikeUtf16(Buffer.from('id,text\n', 'utf16le')), 'utf-16le')
  assert.equal(looksLikeUtf16(Buffer.from('id,text\n')), undefined)
})
