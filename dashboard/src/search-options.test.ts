import assert from 'node:assert/strict'
import { test } from 'node:test'
import { indexNames } from './search-matches.ts'
import { groupsFor, type Known, neighbor } from './search-options.ts'

const named = (names: readonly string[], here: readonly string[] = names) => ({
  index: indexNames(names),
  isInPeriod: (name: string) => here.includes(name),
})
const known: Known = {
  names: {
    member: named(['ada', 'grace', '7up'], ['ada']),
    report: named(['Ada’s report']),
    model: named(Array.from({ length: 20 }, (_, at) => `model-${at}`)),
    team: named([]),
    feature: named([]),
  },
  messages: undefined,
  periodName: () => 'then',
  areas: ['usage', 'rate-cards'],
  organizations: [{ id: 'globex', name: 'Globex Ltd' }],
}
const period = { start: '2024-04-01T00:00:00Z', end: '2024-05-01T00:00:00Z' }
const offered = (typed: string, more: Partial<Known> = {}) =>
  groupsFor(typed, { ...known, ...more }).map(({ name, options }) => [name, ...options.map((each) => each.name)])

test('a text that looks like an id offers that message first, until it is known that there is none', () => {
  assert.deepEqual(offered('7'), [
    ['Messages', 'Message 7'],
    ['Members', '7up'],
    ['Models', 'model-7', 'model-17'],
  ])
  assert.deepEqual(offered('7', { messages: [] }).at(0), ['Members', '7up'])
})

test('a number and a text of one form are two messages, told apart by quotes', () => {
  const messages = [7, '7'].map((id) => ({ id, period }))
  assert.deepEqual(offered('7', { messages })[0], ['Messages', 'Message 7', 'Message "7"'])
  assert.deepEqual(offered('7', { messages: messages.slice(1) })[0], ['Messages', 'Message 7'])
})

test('a message that only happens to be called like a name comes last', () => {
  assert.deepEqual(offered('ada', { messages: [{ id: 'ada', period }] }), [
    ['Members', 'ada'],
    ['Reports', 'Ada’s report'],
    ['Messages', 'Message ada'],
  ])
  assert.deepEqual(offered('ada').at(-1), ['Reports', 'Ada’s report'])
})

test('a name that the period does not have says so, and a long group how long it is', () => {
  const [members] = groupsFor('grace', known)
  assert.equal(members?.options[0]?.note, 'not in this period')
  const [models] = groupsFor('model', known)
  assert.deepEqual([models?.options.length, models?.more], [6, 14])
})

test('areas are all there while nothing is typed; organizations are found by name and id', () => {
  assert.deepEqual(offered(''), [['Areas', 'Go to Usage', 'Go to Rate cards']])
  assert.deepEqual(offered('go to rate'), [['Areas', 'Go to Rate cards']])
  assert.deepEqual(offered('ltd'), [['Organizations', 'Switch to Globex Ltd']])
})

test('↑ and ↓ go around the ends, through all groups', () => {
  const groups = groupsFor('ada', known)
  const [first, last] = ['member ada', 'report Ada’s report']
  assert.equal(neighbor(groups, first, 1), last)
  assert.equal(neighbor(groups, last, 1), first)
  assert.equal(neighbor(groups, first, -1), last)
  assert.equal(neighbor([], undefined, 1), undefined)
})
