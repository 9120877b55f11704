import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type CellFilter, createCells, createCellTest, DIMENSIONS, groupKey, isSameCell } from './cell.ts'

test('reports whose ids and names look alike side by side have cells of their own', () => {
  const cellOf = createCells('standard-2024')
  const cells = [cellOf(undefined, { id: 5, name: 'x y' }), cellOf(undefined, { id: '5 x', name: 'y' })]
  assert.deepEqual(
    cells.map(({ reportId, reportName }) => [reportId, reportName]),
    [
      [5, 'x y'],
      ['5 x', 'y'],
    ],
  )
})

test('equal cells are the same object', () => {
  const cellOf = createCells('standard-2024')
  assert.equal(cellOf('ada', { id: 5, name: 'Five' }), cellOf('ada', { id: 5, name: 'Five' }))
  assert.equal(cellOf(undefined, undefined), cellOf(undefined, undefined))
})

test('cells differ in every dimension, also if their texts look alike side by side', () => {
  const cellOf = createCells('standard-2024')
  const cells = [
    cellOf('ada', undefined),
    cellOf('ada', undefined, 'ab', { model: 'c' }),
    cellOf('ada', undefined, 'a', { model: 'bc' }),
    cellOf('ada', undefined, undefined, { model: 'a', attributes: { feature: 'bc' } }),
    cellOf('ada', undefined, undefined, { attributes: { feature: 'failed' } }),
    cellOf('ada', undefined, undefined, { outcome: 'failed' }),
    cellOf('ada', undefined, 'undefined'),
    cellOf('ada', { id: 'undefined', name: 'undefined' }),
    cellOf(undefined, undefined, 'ada'),
  ]
  for (const [index, one] of cells.entries()) {
    assert.deepEqual(
      cells.map((other) => isSameCell(one, other)),
      cells.map((_, at) => at === index),
    )
  }
  assert.equal(new Set(cells.map((cell) => groupKey(cell, DIMENSIONS))).size, cells.length)
})

test('the feature of a cell is the attribute as a text, and an empty one is none', () => {
  const cellOf = createCells('standard-2024')
  const featureOf = (feature: string | boolean) =>
    cellOf(undefined, undefined, undefined, { attributes: { feature, plan: 'pro' } }).feature
  assert.deepEqual(
    [featureOf('chat'), featureOf(true), featureOf(false), featureOf('')],
    ['chat', 'true', 'false', undefined],
  )
})

test('a filter means the cells that have all it says, and those that succeeded if it says so', () => {
  const cellOf = createCells('standard-2024')
  const cells = [
    cellOf('ada', { id: 5, name: 'Five' }, 'legal'),
    cellOf('ada', undefined, 'legal', { model: 'm', outcome: 'failed' }),
    cellOf('bob', undefined, undefined, { model: 'm' }),
  ]
  const meant = (filter: CellFilter) => cells.flatMap((cell, index) => (createCellTest(filter)(cell) ? [index] : []))
  assert.deepEqual(meant({}), [0, 1, 2])
  assert.deepEqual(meant({ reportId: '5' }), [0])
  assert.deepEqual(meant({ model: 'm' }), [1, 2])
  assert.deepEqual(meant({ model: 'm', member: 'bob' }), [2])
  assert.deepEqual(meant({ outcome: 'failed' }), [1])
  assert.deepEqual(meant({ outcome: 'succeeded', team: 'legal' }), [0])
  assert.deepEqual(meant({ rateCard: 'another' }), [])
})
