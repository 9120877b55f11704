import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import { createOrderedBatches } from './ordered-batches.ts'

test('results are taken in the order of the batches, whichever is ready first', async () => {
  const batches = createOrderedBatches(4)
  const first = Promise.withResolvers<string>()
  const taken: string[] = []
  const take = (result: string): void => {
    taken.push(result)
  }
  await batches.add(first.promise, take)
  await batches.add(Promise.resolve('second'), take)
  first.resolve('first')
  await batches.settled()
  assert.deepEqual(taken, ['first', 'second'])
})

test('a batch that is added waits until there is room for another', async () => {
  const batches = createOrderedBatches(2)
  const [first, second] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  let taken = 0
  const take = (): void => {
    taken++
  }
  await batches.add(first.promise, take)
  let hasRoom = false
  const added = batches.add(second.promise, take).then(() => {
    hasRoom = true
  })
  await setImmediate()
  assert.equal(hasRoom, false)
  first.resolve()
  await added
  assert.equal(taken, 1)
  second.resolve()
  await batches.settled()
  assert.equal(taken, 2)
})

test('a batch that fails early still lets the results of earlier batches be taken, and those of later ones not', async () => {
  const batches = createOrderedBatches(4)
  const first = Promise.withResolvers<string>()
  const taken: string[] = []
  const take = (result: string): void => {
    taken.push(result)
  }
  await batches.add(first.promise, take)
  await batches.add(Promise.reject(new Error('second failed')), take)
  await batches.add(Promise.reject(new Error('third failed')), take)
  const settled = assert.rejects(batches.settled(), /second failed/)
  await setImmediate()
  first.resolve('first')
  await settled
  assert.deepEqual(taken, ['first'])
})
