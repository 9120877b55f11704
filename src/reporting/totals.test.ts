import assert from 'node:assert/strict'
import { test } from 'node:test'
import { credits } from '#model/credits.ts'
import type { ChargedLine } from '#model/usage-line.ts'
import { periodTotals } from './totals.ts'

const line = (timestamp: string, micros: number, reportName?: string): ChargedLine => ({
  messageId: timestamp,
  timestamp,
  credits: credits(micros),
  cell: reportName === undefined ? {} : { reportName },
})

test('days follow the time zone without gaps, and everything adds up', () => {
  const lines = [
    line('2024-03-30T23:30:00Z', 100_000),
    line('2024-04-02T03:59:59.999-04:00', 200_000, 'Lease'),
    line('2024-03-31T00:30:00Z', 79_000_000, 'Lease'),
    line('2024-03-31T00:31:00Z', 94_000_000, 'Repairs'),
  ]
  const totals = periodTotals(lines, 'Europe/Berlin')
  assert.deepEqual(totals.byDay, [
    { day: '2024-03-31', messages: 3, unpriced: 0, credits: 173_100_000 },
    { day: '2024-04-01', messages: 0, unpriced: 0, credits: 0 },
    { day: '2024-04-02', messages: 1, unpriced: 0, credits: 200_000 },
  ])
  assert.deepEqual(totals.byReport, [
    { reportName: 'Repairs', messages: 1, unpriced: 0, credits: 94_000_000 },
    { reportName: 'Lease', messages: 2, unpriced: 0, credits: 79_200_000 },
    { messages: 1, unpriced: 0, credits: 100_000 },
  ])
  assert.equal(totals.credits, 173_300_000)
  assert.deepEqual(
    periodTotals(lines, 'America/New_York').byDay.map(({ day }) => day),
    ['2024-03-30', '2024-03-31', '2024-04-01', '2024-04-02'],
  )
})

test('an empty period has no days and a total of 0', () => {
  assert.deepEqual(periodTotals([], 'UTC'), { messages: 0, unpriced: 0, credits: 0, byDay: [], byReport: [] })
})
