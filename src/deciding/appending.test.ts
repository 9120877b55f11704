import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { type Counted, type Reported, settle } from './appending.ts'

const DAY_MS = 86_400_000
const digestOf = (content: number) => new Uint8Array(16).fill(content)

const reported = (credits: number, dayStart: number, content = 0): Reported => ({
  credits,
  dayStart,
  timestamp: '2024-05-01T00:00:00.000Z',
  cell: { rateCard: 'standard-2024' },
  digest: digestOf(content),
})

test('an amendment that lowers a charge of a closed period is a negative adjustment, which the next one replaces', () => {
  const october: Counted = { ...reported(5, 0), revision: 0 }
  const november = { onChange: 'amend', closedUntil: 31 * DAY_MS } as const
  const first = settle([october], reported(3, 0, 1), november)
  assert.deepEqual(first, {
    status: 'amended',
    credits: 3,
    revision: 1,
    supersedes: [],
    charged: -2,
    isAdjustment: true,
  })
  const adjustment: Counted = { ...reported(-2, 31 * DAY_MS, 1), revision: 1 }
  assert.deepEqual(settle([october, adjustment], reported(3, 0, 1), november), { status: 'duplicate', credits: 3 })
  assert.deepEqual(settle([october, adjustment], reported(4, 0, 2), november), {
    status: 'amended',
    credits: 4,
    revision: 2,
    supersedes: [1],
    charged: -1,
    isAdjustment: true,
  })
})

test('whatever is amended and closed, a message costs what was reported last, and closed charges stay', () => {
  const step = fc.record({ credits: fc.nat(100), day: fc.nat(90), content: fc.nat(3), close: fc.nat(90) })
  fc.assert(
    fc.property(fc.array(step, { minLength: 1, maxLength: 20 }), (steps) => {
      let counted: readonly Counted[] = []
      let closedUntil = 0
      for (const { credits, day, content, close } of steps) {
        const wanted = reported(credits, day * DAY_MS, content)
        const settled = settle(counted, wanted, { onChange: 'amend', closedUntil })
        assert.equal(settled.credits, credits)
        const closed = counted.filter(({ dayStart }) => dayStart < closedUntil)
        if ('charged' in settled) {
          const { revision, supersedes, charged, isAdjustment } = settled
          counted = [
            ...counted.filter((each) => !supersedes.includes(each.revision)),
            { ...wanted, revision, credits: charged, dayStart: isAdjustment ? closedUntil : wanted.dayStart },
          ]
        }
        assert.equal(
          counted.reduce((sum, each) => sum + (each.credits ?? 0), 0),
          credits,
        )
        assert.deepEqual(
          counted.filter(({ dayStart }) => dayStart < closedUntil),
          closed,
        )
        assert.ok(counted.filter(({ dayStart }) => dayStart >= closedUntil).length <= 1)
        closedUntil = Math.max(closedUntil, close * DAY_MS)
      }
    }),
  )
})

test('without amending, nothing that is charged changes: the same content is a duplicate, other content a conflict', () => {
  const charged: Counted = { ...reported(5, 0), revision: 0 }
  const refuse = { onChange: 'refuse', closedUntil: 0 } as const
  assert.deepEqual(settle([charged], reported(9, 0), refuse), { status: 'duplicate', credits: 5 })
  assert.deepEqual(settle([charged], reported(5, 0, 1), refuse), { status: 'conflict', credits: 5 })
})

test('a price for a message that had none leaves every other message as it is', () => {
  const without = (content = 0): Counted => ({ ...reported(0, 0, content), credits: undefined, revision: 0 })
  const price = { onChange: 'price', closedUntil: 0 } as const
  const amended = { status: 'amended', credits: 9, revision: 1, supersedes: [0], charged: 9, isAdjustment: false }
  assert.deepEqual(settle([without()], reported(9, 0), price), amended)
  assert.deepEqual(settle([without(1)], reported(9, 0), price), { status: 'conflict' })
  const elsewhere = { ...without(), timestamp: '2024-05-01T00:00:00Z' }
  assert.deepEqual(settle([elsewhere], reported(9, 0), price), { status: 'duplicate' })
  const charged: Counted = { ...reported(5, 0), revision: 1 }
  assert.deepEqual(settle([charged], reported(9, 0), price), { status: 'duplicate', credits: 5 })
  const closed = { onChange: 'price', closedUntil: DAY_MS } as const
  assert.deepEqual(settle([without()], reported(9, 0), closed), { ...amended, supersedes: [], isAdjustment: true })
  assert.deepEqual(settle([without(), { ...charged, dayStart: DAY_MS }], reported(9, 0), closed), {
    status: 'duplicate',
    credits: 5,
  })
})

test('a message that still has no price becomes one of the card in force, unless its period is closed', () => {
  const without: Counted = { ...reported(0, 0), credits: undefined, revision: 0 }
  const byOther = { ...without, cell: { rateCard: 'other' } }
  const price = { onChange: 'price', closedUntil: 0 } as const
  const amended = { status: 'amended', revision: 1, supersedes: [0], charged: undefined, isAdjustment: false }
  assert.deepEqual(settle([without], byOther, price), amended)
  assert.deepEqual(settle([without], without, price), { status: 'duplicate' })
  assert.deepEqual(settle([byOther], byOther, price), { status: 'duplicate' })
  assert.deepEqual(settle([without], { ...byOther, timestamp: '2024-05-01T00:00:00Z' }, price), { status: 'duplicate' })
  const charged: Counted = { ...reported(5, 0), revision: 0 }
  assert.deepEqual(settle([charged], byOther, price), { status: 'duplicate', credits: 5 })
  assert.deepEqual(settle([without], byOther, { ...price, closedUntil: DAY_MS }), { status: 'duplicate' })
  const late: Counted = { ...without, dayStart: DAY_MS }
  assert.deepEqual(settle([late], byOther, { ...price, closedUntil: DAY_MS }), { ...amended, isAdjustment: true })
})

test('a conflict about the outcome names the one that holds', () => {
  const refuse = { onChange: 'refuse', closedUntil: 0 } as const
  const succeeded: Counted = { ...reported(5, 0), revision: 0 }
  const cell = { ...succeeded.cell, outcome: 'failed' } as const
  const failed: Counted = { ...succeeded, cell, digest: digestOf(1) }
  assert.deepEqual(settle([succeeded], failed, refuse), { status: 'conflict', credits: 5, outcome: 'succeeded' })
  assert.deepEqual(settle([failed], succeeded, refuse), { status: 'conflict', credits: 5, outcome: 'failed' })
  assert.deepEqual(settle([failed], { ...failed, digest: digestOf(2) }, refuse), { status: 'conflict', credits: 5 })
})
