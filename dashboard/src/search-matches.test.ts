import assert from 'node:assert/strict'
import { test } from 'node:test'
import { idIn, indexNames, looksLikeId, matchNames } from './search-matches.ts'

const MEMBERS = indexNames(['maria.ada@acme.example', 'Adam', 'ada', 'Zoë Müller', 'Ada Lovelace', 'Canada', 'ada'])

test('the name itself comes first, then what starts with the text, then what has a word that does', () => {
  assert.deepEqual(matchNames(MEMBERS, 'ada', 9), {
    names: ['ada', 'Adam', 'Ada Lovelace', 'maria.ada@acme.example', 'Canada'],
    more: 0,
  })
})

test('case, accents and white space around the text do not matter', () => {
  assert.deepEqual(matchNames(MEMBERS, ' zoe ', 9).names, ['Zoë Müller'])
  assert.deepEqual(matchNames(MEMBERS, 'MULLER', 9).names, ['Zoë Müller'])
  assert.deepEqual(matchNames(MEMBERS, 'Müller', 9).names, ['Zoë Müller'])
})

test('each of several words must be in the name, in any order', () => {
  assert.deepEqual(matchNames(MEMBERS, 'love ada', 9).names, ['Ada Lovelace'])
  assert.deepEqual(matchNames(MEMBERS, 'ada grace', 9).names, [])
})

test('only so many are named, and the others are counted', () => {
  assert.deepEqual(matchNames(MEMBERS, 'ada', 2), { names: ['ada', 'Adam'], more: 3 })
})

test('an empty text finds nothing', () => {
  assert.deepEqual(matchNames(MEMBERS, '  ', 9), { names: [], more: 0 })
})

test('what is special in a regular expression is text like any other', () => {
  assert.deepEqual(matchNames(indexNames(['a.b', 'aXb']), 'a.b', 9).names, ['a.b'])
})

test('an id can be pasted as the page writes it', () => {
  assert.equal(idIn(' 1042 '), '1042')
  assert.equal(idIn('Message 1042'), '1042')
  assert.equal(idIn('message "1042"'), '"1042"')
  assert.equal(idIn('message'), 'message')
  assert.equal(idIn('   '), undefined)
  assert.equal(idIn('1'.repeat(201)), undefined)
})

test('numbers, UUIDs and ids of spans look like ids; names, addresses and words do not', () => {
  for (const id of [
    '1042',
    '-7',
    '"7"',
    '"x"',
    '0b9f0c5e-6f3a-4f5c-8d5e-0a1b2c3d4e5f',
    'otlp:4bf92f3577b34da6a3ce929d0e0e4736:00f067aa0ba902b7',
  ]) {
    assert.equal(looksLikeId(id), true, id)
  }
  for (const text of ['ada', 'Ada Lovelace', 'ada2@acme.example', 'Q3 report'])
    assert.equal(looksLikeId(text), false, text)
})
