import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createCells } from './cell.ts'

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
