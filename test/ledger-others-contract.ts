/** What every store must do with more models or features than totals tell apart. A part of `ledger-contract.ts`. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { AppendBatch, AppendOutcome, Ledger, LedgerView } from '../src/ledger/ledger.ts'
import { cellAt } from '../src/ledger/priced-batch.ts'
import { type CellFilter, createCellTest, DIMENSIONS, type Dimension, groupOf } from '../src/model/cell.ts'
import { CALENDAR_BEGINS } from '../src/model/organization.ts'
import type { Priced } from '../src/model/usage-record.ts'
import { sumsByKey, totalKey } from './ledger-model.ts'
import type { OpenLedger } from './opened-ledger.ts'
import { batchOf, DAY_MS, type RecordOptions, recordOf, START } from './priced.ts'

const ALL = { from: CALENDAR_BEGINS, to: -CALENDAR_BEGINS }
const OTHER = '(other)'
const NEXT_PERIOD = START + 31 * DAY_MS

type OnChange = AppendBatch['onChange']

const append = (
  ledger: Ledger,
  records: readonly Priced[],
  onChange: OnChange = 'refuse',
  organizationId = 'default',
) => ledger.append(batchOf(records, { onChange, organizationId }))

const statusesOf = async (ledger: Ledger, record: Priced, onChange: OnChange) => {
  const answer = await append(ledger, [record], onChange)
  return Array.isArray(answer) ? answer.map(({ status }: AppendOutcome) => status) : answer
}

const read = <T>(ledger: Ledger, reading: (view: LedgerView) => Promise<T>, organizationId = 'default'): Promise<T> =>
  ledger.read(organizationId, reading)

/** Models and how many messages count to each. */
const modelsOf = async (ledger: Ledger, range = ALL, filter: CellFilter = {}): Promise<Record<string, number>> => {
  const totals = await read(ledger, (view) => view.totals({ ...range, ...filter, group: ['model'] }))
  return Object.fromEntries(totals.map(({ model, messages }) => [model ?? '', messages]))
}

const linesOf = (ledger: Ledger, filter: CellFilter = {}, organizationId = 'default') =>
  read(ledger, (view) => view.page({ ...ALL, ...filter, limit: 100_000 }), organizationId)

const idsOf = async (ledger: Ledger, filter: CellFilter) =>
  (await linesOf(ledger, filter)).map(({ messageId }) => messageId)

export const othersContract = (open: OpenLedger): void => {
  test('models beyond the limit of a period count to "(other)", and lines, charges and filters know them', async () => {
    await using opened = await open({ namesMax: 2 })
    const { ledger } = opened
    const records = ['a', 'b', 'c', undefined, 'c', 'd', 'a'].map((model, id) =>
      recordOf(id, { micros: 1000 + id, ...(model !== undefined && { model }) }),
    )
    for (const record of records) assert.equal(await append(ledger, [record]), undefined)
    assert.deepEqual(await modelsOf(ledger), { '': 1, [OTHER]: 3, a: 2, b: 1 })
    assert.deepEqual(
      (await linesOf(ledger)).map(({ cell }) => cell.model),
      ['a', 'b', 'c', undefined, 'c', 'd', 'a'],
    )
    assert.deepEqual(await idsOf(ledger, { model: 'c' }), [2, 4])
    assert.deepEqual(await idsOf(ledger, { model: 'a' }), [0, 6])
    assert.deepEqual(await idsOf(ledger, { model: OTHER }), [2, 4, 5])
    assert.deepEqual(await modelsOf(ledger, ALL, { model: 'c' }), { c: 2 })
    assert.deepEqual(await modelsOf(ledger, ALL, { model: OTHER }), { [OTHER]: 3 })
    const [charge] = await read(ledger, (view) => view.charges(2))
    assert.equal(charge?.cell.model, 'c')
    assert.equal(charge?.credits, 1002)
  })

  test('each organization and period has a limit of its own, also for what a later process writes', async () => {
    await using opened = await open({ namesMax: 1 })
    const other = await opened.another()
    await append(opened.ledger, [recordOf(1, { model: 'a' }), recordOf(2, { model: 'b', at: NEXT_PERIOD })])
    await append(other, [recordOf(3, { model: 'b' }), recordOf(4, { model: 'a', at: NEXT_PERIOD })])
    await append(opened.ledger, [recordOf(5, { model: 'b' }), recordOf(6, { model: 'b', at: NEXT_PERIOD })])
    const [first, second] = [
      { from: START, to: NEXT_PERIOD },
      { from: NEXT_PERIOD, to: NEXT_PERIOD + DAY_MS },
    ]
    assert.deepEqual(await modelsOf(other, first), { a: 1, [OTHER]: 2 })
    assert.deepEqual(await modelsOf(other, second), { b: 2, [OTHER]: 1 })
    assert.deepEqual(await modelsOf(other, ALL, { model: 'b' }), { b: 4 })
    assert.deepEqual(await modelsOf(other, ALL, { model: 'a' }), { a: 2 })
  })

  test('a message that is refused takes no place of a model', async () => {
    await using opened = await open({ namesMax: 2 })
    const { ledger } = opened
    await append(ledger, [recordOf(1, { model: 'a' })])
    await append(ledger, [recordOf(1, { model: 'b', content: 2 }), recordOf(2, { model: 'a' })])
    await append(ledger, [recordOf(3, { model: 'c' })])
    assert.deepEqual(await modelsOf(ledger), { a: 2, c: 1 })
    await append(ledger, [recordOf(4, { model: 'b' })])
    assert.deepEqual(await modelsOf(ledger), { a: 2, c: 1, [OTHER]: 1 })
  })

  test('a model that calls itself "(other)" counts to it and takes no place', async () => {
    await using opened = await open({ namesMax: 1 })
    const { ledger } = opened
    await append(ledger, [recordOf(1, { model: OTHER }), recordOf(2, { model: 'a' }), recordOf(3, { model: 'b' })])
    assert.deepEqual(await modelsOf(ledger), { [OTHER]: 2, a: 1 })
    assert.deepEqual(await idsOf(ledger, { model: OTHER }), [1, 3])
    assert.deepEqual(await statusesOf(ledger, recordOf(1, { model: OTHER }), 'amend'), ['duplicate'])
  })

  test('an amendment compares and moves the model that was reported', async () => {
    await using opened = await open({ namesMax: 1 })
    const { ledger } = opened
    await append(ledger, [recordOf(1, { model: 'a' }), recordOf(2, { model: 'b', feature: 'chat' })])
    assert.deepEqual(await statusesOf(ledger, recordOf(2, { model: 'b', feature: 'chat' }), 'amend'), ['duplicate'])
    assert.deepEqual(await statusesOf(ledger, recordOf(2, { model: 'c', feature: 'chat' }), 'amend'), ['amended'])
    assert.deepEqual(await modelsOf(ledger), { a: 1, [OTHER]: 1 })
    assert.deepEqual(await modelsOf(ledger, ALL, { model: 'b' }), {})
    assert.deepEqual(await idsOf(ledger, { model: 'b' }), [])
    assert.deepEqual(await statusesOf(ledger, recordOf(2, { model: 'a', feature: 'chat' }), 'amend'), ['amended'])
    assert.deepEqual(await modelsOf(ledger), { a: 2 })
    assert.deepEqual(
      (await read(ledger, (view) => view.charges(2))).map(({ cell }) => cell.model),
      ['a', 'c', 'b'],
    )
  })

  test('an adjustment counts to the models of the period in which it is charged', async () => {
    await using opened = await open({ namesMax: 1 })
    const { ledger } = opened
    await append(ledger, [recordOf(1, { model: 'a' }), recordOf(2, { model: 'b', at: NEXT_PERIOD })])
    await ledger.decide('default', { kind: 'close', until: NEXT_PERIOD })
    await append(ledger, [recordOf(3, { model: 'a' }), recordOf(4, { model: 'b' })])
    await append(ledger, [recordOf(1, { model: 'c', micros: 5_000_000, content: 3 })], 'amend')
    assert.deepEqual(await modelsOf(ledger, { from: START, to: NEXT_PERIOD }), { a: 1 })
    assert.deepEqual(await modelsOf(ledger, { from: NEXT_PERIOD, to: NEXT_PERIOD + 1 }), { b: 2, [OTHER]: 2 })
    assert.deepEqual(await modelsOf(ledger, ALL, { model: 'a' }), { a: 2 })
    assert.deepEqual(await modelsOf(ledger, ALL, { model: 'c' }), { c: 1 })
  })

  test('an operator is told once of a period that has more models or features', async () => {
    await using opened = await open({ namesMax: 2 })
    const { ledger, notices } = opened
    for (const [id, name] of ['a', 'b', 'c', 'd', 'c'].entries())
      await append(ledger, [recordOf(id, { model: name }), recordOf(`n${id}`, { at: NEXT_PERIOD, feature: name })])
    await ledger.check()
    assert.deepEqual(
      notices.filter(({ severity }) => severity !== 'info').map(({ severity, message }) => [severity, message]),
      [
        [
          'warn',
          'organization "default" has sent more than 2 models in the billing period that starts at 2024-05-01T00:00:00.000Z; ' +
            'later ones count to "(other)" in totals. GET /v1/usage?model=(other) lists their messages',
        ],
        [
          'warn',
          'organization "default" has sent more than 2 features in the billing period that starts at 2024-06-01T00:00:00.000Z; ' +
            'later ones count to "(other)" in totals. GET /v1/usage?feature=(other) lists their messages',
        ],
      ],
    )
  })

  test('many messages that count to "(other)" are all found, many of them at the same instant', async () => {
    await using opened = await open({ namesMax: 1 })
    const { ledger } = opened
    const records = Array.from({ length: 22_000 }, (_, id) =>
      recordOf(id, {
        at: START + (id < 10_000 ? id : 10_000 + Math.floor(id / 9000)),
        micros: id,
        model: id % 2 === 0 ? 'b' : 'c',
        feature: id % 4 === 0 ? 'x' : 'y',
      }),
    )
    await append(ledger, [recordOf('first', { model: 'a', feature: 'y' })])
    await append(ledger, records)
    const meant = records.filter(({ cell }) => cell.model === 'b' && cell.feature === 'x')
    const sum = meant.reduce((total, { credits = 0 }) => total + credits, 0)
    const which = { ...ALL, model: 'b', feature: 'x', group: ['feature', 'model'] as const }
    const [total] = await read(ledger, (view) => view.totals(which))
    assert.deepEqual(total, { model: 'b', feature: 'x', messages: 5500, unpriced: 0, credits: BigInt(sum) })
    assert.deepEqual((await idsOf(ledger, { model: 'b', feature: 'x' })).length, meant.length)
  })

  test('however many models and features there are, all ways of asking the same agree, with the lines as reported', async () => {
    const names = ['a', 'b', 'c', 'd', 'e', OTHER]
    const entry = fc.record({
      id: fc.integer({ min: 0, max: 20 }),
      content: fc.integer({ min: 0, max: 1 }),
      at: fc.integer({ min: 0, max: 50 }).map((days) => START + days * DAY_MS + ((days * 7) % 24) * 3_600_000),
      micros: fc.integer({ min: 0, max: 1_000_000 }),
      member: fc.option(fc.constantFrom('ada', 'bob'), { nil: undefined }),
      model: fc.option(fc.constantFrom(...names), { nil: undefined }),
      feature: fc.option(fc.constantFrom(...names), { nil: undefined }),
      report: fc.option(fc.constantFrom('One', 'Two'), { nil: undefined }),
    })
    const step = fc.record({
      onChange: fc.constantFrom('refuse' as const, 'amend' as const, 'price' as const),
      isOther: fc.boolean(),
      entries: fc.array(entry, { maxLength: 15 }),
      closes: fc.boolean(),
    })
    const text = fc.option(fc.constantFrom(...names), { nil: undefined })
    const filters = fc.record({ model: text, feature: text, member: fc.constantFrom(undefined, undefined, 'ada') })
    const groups: readonly (readonly Dimension[])[] = [[], ['model'], ['feature'], ['report', 'model'], DIMENSIONS]
    await using opened = await open({ namesMax: 2 })
    const ledgers = [opened.ledger, await opened.another()] as const
    const [ledger] = ledgers
    let organizations = 0
    const property = fc.asyncProperty(
      fc.array(step, { minLength: 1, maxLength: 6 }),
      fc.array(filters, { minLength: 1, maxLength: 6 }),
      async (steps, asked) => {
        const id = `organization ${organizations++}`
        const calendar = [{ effectiveFrom: CALENDAR_BEGINS, timeZone: 'UTC', anchorDay: 1 }] as const
        const organization = { id, name: id, createdAt: START, calendar }
        await ledger.decide(id, { kind: 'create-organization', organization })
        for (const { onChange, isOther, entries, closes } of steps) {
          const records = entries.map(({ id: messageId, content, at, micros, report, ...dimensions }) => {
            const present = Object.entries(dimensions).filter(([, value]) => value !== undefined)
            return recordOf(messageId, {
              content,
              at,
              micros,
              ...(report !== undefined && { reportId: 1, reportName: report }),
              ...(Object.fromEntries(present) as RecordOptions),
            })
          })
          await append(ledgers[Number(isOther)] as Ledger, records, onChange, id)
          if (closes) await ledger.decide(id, { kind: 'close', until: NEXT_PERIOD })
        }
        const lines = await linesOf(ledger, {}, id)
        for (const each of asked) {
          const filter: CellFilter = Object.fromEntries(Object.entries(each).filter(([, value]) => value !== undefined))
          await agree(ledger, id, lines, filter, groups)
        }
      },
    )
    await fc.assert(property, { numRuns: 40 })
  })
}

type Line = Awaited<ReturnType<typeof linesOf>>[number]

/** A name that is asked for selects the lines that have it, `(other)` those that count to it. */
const agree = async (
  ledger: Ledger,
  organizationId: string,
  all: readonly Line[],
  filter: CellFilter,
  groups: readonly (readonly Dimension[])[],
): Promise<void> => {
  const kept = await read(ledger, (view) => view.keptCharges({ ...ALL, limit: all.length + 1 }), organizationId)
  assert.deepEqual(
    Array.from({ length: kept.count }, (_, row) => cellAt(kept, row)),
    all.map(({ cell }) => cell),
  )
  const lines = await linesOf(ledger, filter, organizationId)
  const isKeptMeant = createCellTest(filter)
  assert.deepEqual(
    all.filter((_, row) => isKeptMeant(cellAt(kept, row), kept.countedCells[kept.cellOf[row] as number])),
    lines,
  )
  const { model, feature, ...others } = filter
  const isMeant = createCellTest({
    ...others,
    ...(model !== undefined && model !== OTHER && { model }),
    ...(feature !== undefined && feature !== OTHER && { feature }),
  })
  if (model !== OTHER && feature !== OTHER)
    assert.deepEqual(
      lines,
      all.filter(({ cell }) => isMeant(cell)),
    )
  else assert.ok(lines.every(({ cell }) => isMeant(cell)))
  const sumOf = (lines: readonly Line[]) => sumsByKey(lines as readonly Priced[], () => '')
  for (const group of groups) {
    const which = { ...filter, group }
    const [days, totals, parts] = await read(
      ledger,
      async (view) => [
        await view.dayTotals({ ...ALL, ...which }),
        await view.totals({ ...ALL, ...which }),
        await view.rangeTotals({ ranges: [ALL], ...which }),
      ],
      organizationId,
    )
    const text = (
      cell: object,
      { messages, unpriced, credits }: { messages: number; unpriced: number; credits: bigint },
    ) => `${totalKey(0, group, cell)} ${messages} ${unpriced} ${credits}`
    const ofTotals = totals.map((total) => text(total, total))
    assert.deepEqual(
      parts.map((part) => text(part, part)),
      ofTotals,
    )
    assert.deepEqual(
      totals.map(({ reportName }) => reportName),
      parts.map(({ reportName }) => reportName),
    )
    const sum = (all: readonly { messages: number; unpriced: number; credits: bigint }[]) =>
      all.reduce(
        ({ messages, unpriced, credits }, each) => ({
          messages: messages + each.messages,
          unpriced: unpriced + each.unpriced,
          credits: credits + each.credits,
        }),
        { messages: 0, unpriced: 0, credits: 0n },
      )
    const { messages, unpriced, credits } = sum(totals)
    assert.deepEqual(lines.length === 0 ? [] : [` ${messages} ${unpriced} ${credits}`], sumOf(lines))
    assert.deepEqual(sum(days), { messages, unpriced, credits })
    for (const total of totals) {
      // What a group shows is what one gets by asking for it.
      const asked = { ...filter, ...groupOf(total, group) } as CellFilter & { reportName?: string }
      delete asked.reportName
      if (group.includes('outcome') && total.outcome === undefined) Object.assign(asked, { outcome: 'succeeded' })
      if (group.some((dimension) => dimension !== 'outcome' && totalKey(0, [dimension], total) === '[0,null]')) continue
      if (model === undefined && total.model !== OTHER && group.includes('model')) continue
      if (feature === undefined && total.feature !== OTHER && group.includes('feature')) continue
      assert.deepEqual(sumOf(await linesOf(ledger, asked, organizationId)), [
        ` ${total.messages} ${total.unpriced} ${total.credits}`,
      ])
    }
  }
}
