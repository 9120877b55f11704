import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { AREAS } from './areas.ts'
import { DIMENSIONS } from './dimensions.ts'
import { addressOf, readView, type View } from './view.ts'

const text = fc.string({ unit: 'grapheme', minLength: 1 })
const day = fc
  .date({ min: new Date('2020-01-01'), max: new Date('2029-12-31'), noInvalidDate: true })
  .map((date) => date.toJSON().slice(0, 10))
const optional = <T>(of: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> => fc.option(of, { nil: undefined })

const PLAIN = { noNullPrototype: true } as const

const readQuery = (search: string): View => readView({ pathname: '/', search })

const view: fc.Arbitrary<View> = fc
  .record(
    {
      area: fc.constantFrom(...AREAS.map(({ id }) => id)),
      period: fc.constantFrom('current', 'previous', '2024-04', '2024-04-15'),
      range: optional(
        fc.tuple(day, day).map(([one, other]) => ({ from: one < other ? one : other, to: one < other ? other : one })),
      ),
      compare: optional(fc.constantFrom('year', 'none', '2024-02', '2024-02-15')),
      zone: optional(fc.constantFrom('UTC', 'Europe/Berlin')),
      group: fc.constantFrom('kind', ...DIMENSIONS),
      isRunningTotal: fc.boolean(),
      ranking: optional(fc.constantFrom(...DIMENSIONS, 'rule' as const)),
      isDearestFirst: fc.boolean(),
      sort: fc.uniqueArray(fc.record({ id: fc.constantFrom('report', 'credits'), desc: fc.boolean() }, PLAIN), {
        selector: ({ id }) => id,
      }),
      bar: optional(fc.constantFrom('2024-05-01T00:00:00.000Z', '2024-04-30T22:00:00.000Z')),
      report: optional(fc.oneof(text, fc.constant(''))),
      member: optional(fc.oneof(text, fc.constant(''))),
      anyReport: fc.boolean(),
      team: optional(fc.oneof(text, fc.constant(''))),
      model: optional(fc.oneof(text, fc.constant(''))),
      feature: optional(fc.oneof(text, fc.constant(''))),
      outcome: optional(fc.constantFrom('succeeded', 'failed')),
      minCredits: optional(fc.constantFrom('0', '7.', '.5', '12.345678')),
      unpriced: fc.boolean(),
      search: optional(text),
      message: optional(fc.oneof(fc.maxSafeInteger(), text, fc.constantFrom('1000', '"1000"', '""', '"'))),
      isTrying: fc.boolean(),
      card: optional(text),
      organization: optional(fc.constantFrom('default', 'acme-2', 'Acme', '')),
      ignored: fc.constant([]),
    } as const,
    PLAIN,
  )
  // A range takes the place of the period.
  .map((each) => (each.range === undefined ? each : { ...each, period: 'current' }))
  // And is not compared with one.
  .map((each) => (each.range !== undefined && each.compare?.startsWith('2') ? { ...each, compare: undefined } : each))
  // One report is narrower than any.
  .map((each) => (each.report === undefined ? each : { ...each, anyReport: false }))
  // Only messages are sorted and searched.
  .map((each) => (each.area === 'messages' ? each : { ...each, sort: [], search: undefined }))
  // Only the area of rate cards reads one.
  .map((each) => (each.area === 'rate-cards' ? each : { ...each, card: undefined }))

test('reads every view back from its address', () => {
  fc.assert(
    fc.property(view, (each) => {
      const address = new URL(addressOf(each), 'http://localhost')
      assert.deepEqual(readView(address), each)
    }),
  )
})

test('ignores whatever is invalid or unknown in an address, and names what is invalid', () => {
  fc.assert(
    fc.property(fc.webQueryParameters(), (search) => {
      addressOf(readQuery(search))
    }),
  )
  const plain = readQuery('')
  for (const search of [
    '?period=2024-13',
    '?period=now',
    '?from=2024-02-30&to=2024-03-01',
    '?from=2024-03-02&to=2024-03-01',
    '?from=2024-03-01',
    '?from=0001-01-01&to=9999-12-31',
    '?from=9999-12-01&to=9999-12-31',
    '?from=0202-05-01&to=0202-05-02',
    '?period=9999-12',
    '?period=2024-02-30',
    '?compare=previous',
    '?compare=2024-13',
    '?zone=Mars/Olympus',
    '?group=color',
    '?sort=color,-when',
    '?at=noon',
    '?min=-1',
    '?min=1e3',
    '?min=1.2345678',
    '?min=1,5',
    '?min=.',
    '?search=',
    '?message=',
    '?%E0%A4%A=1&sort',
  ]) {
    assert.deepEqual({ ...readQuery(search), ignored: [] }, plain, search)
  }
  for (const [search, ignored] of [
    ['?period=2024-13&color=red', ['period=2024-13']],
    ['?from=2024-03-02&to=2024-03-01', ['from=2024-03-02', 'to=2024-03-01']],
    ['?group=color&at=noon&min=1,5&sort=when', ['group=color', 'sort=when', 'at=noon', 'min=1,5']],
    [`?period=${'9'.repeat(100)}`, [`period=${'9'.repeat(53)}`]],
    ['?period=current&group=kind&search=&message=&min=&sort=', []],
    ['?from=2024-03-01&to=2024-03-02&compare=2024-02', ['compare=2024-02']],
    ['?compare=now&zone=Mars/Olympus', ['compare=now', 'zone=Mars/Olympus']],
    ['?compare=year&zone=utc', []],
    ['?period=2024-05&from=2024-05-01&to=2024-05-02', []],
  ] as const) {
    assert.deepEqual(readQuery(search).ignored, ignored, search)
  }
})

test('sorts by a column that is given twice only once, at its first place', () => {
  assert.deepEqual(readQuery('?sort=-credits,report,credits').sort, [
    { id: 'credits', desc: true },
    { id: 'report', desc: false },
  ])
})
