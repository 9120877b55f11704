/** What every store must do about charges that are read with all that is kept, and made anew. A part of `ledger-contract.ts`. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { KeptCharges } from '../src/ledger/kept-charges.ts'
import type { AppendBatch, Ledger, Range } from '../src/ledger/ledger.ts'
import { pricedAt } from '../src/ledger/priced-batch.ts'
import { CALENDAR_BEGINS } from '../src/model/organization.ts'
import type { Priced } from '../src/model/usage-record.ts'
import type { OpenLedger } from './opened-ledger.ts'
import { batchOf, DAY_MS, dayOf, recordOf, START, unpricedOf } from './priced.ts'

const ALL = { from: CALENDAR_BEGINS, to: -CALENDAR_BEGINS }

const rowsOf = (kept: KeptCharges) =>
  Array.from({ length: kept.count }, (_, row) => {
    const { facts, digest, ...priced } = pricedAt(kept, row)
    const oldCell = kept.replacedCellOf[row] as number
    return {
      ...priced,
      facts: [...facts],
      digest: [...digest],
      revision: kept.revisions[row],
      dayStart: kept.dayStarts[row],
      ...(kept.isAdjustment[row] === 1 && { isAdjustment: true }),
      ...(oldCell >= 0 && { replaced: [kept.cells[oldCell], kept.replacedCredits[row]] }),
    }
  })

const keptOf = async (ledger: Ledger, range: Range, limit: number) => {
  const rows = []
  let after: Pick<Priced, 'at' | 'messageId'> | undefined
  for (;;) {
    const kept = await ledger.read('default', (view) =>
      view.keptCharges({ ...range, limit, withDigests: true, ...(after && { after }) }),
    )
    rows.push(...rowsOf(kept))
    if (kept.count < limit) return rows
    const last = kept.count - 1
    after = { at: kept.at[last] as number, messageId: kept.messageIds[last] as number }
  }
}

/** The row of a charge as it was written. */
const rowOf = ({ facts, digest, ...record }: Priced, more: object = {}) => ({
  ...record,
  facts: [...facts],
  digest: [...digest],
  revision: 0,
  dayStart: dayOf(record.at).start,
  ...more,
})

const statusesOf = async (ledger: Ledger, batch: AppendBatch) => {
  const outcomes = await ledger.append(batch)
  assert.ok(Array.isArray(outcomes))
  return outcomes.map(({ status }) => status)
}

export const keptContract = (open: OpenLedger): void => {
  test('charges come with all that is kept of their messages, in pieces of any size', async () => {
    await using opened = await open()
    const { ledger } = opened
    const records = Array.from({ length: 120 }, (_, index) =>
      (index % 11 === 0 ? unpricedOf : recordOf)(index % 2 === 0 ? index : `m${index}`, {
        at: START + Math.floor(index / 5) * 10_000_000,
        content: index,
        ...(index % 3 === 0 && { member: `u${index % 4}`, timestamp: `2024-05-01T00:00:00.${index}00+00:00` }),
      }),
    )
    await ledger.append(batchOf(records))
    const [, , , , first, second, third] = records as [Priced, Priced, Priced, Priced, Priced, Priced, Priced]
    const amended = { ...first, cell: { ...first.cell, rateCard: 'b' } }
    const moved = { ...second, at: START + DAY_MS * 40, digest: new Uint8Array(16).fill(200) }
    const { credits: _, ...withoutPrice } = { ...third, cell: { ...third.cell, rateCard: 'c' } }
    const changes = [amended, moved, withoutPrice]
    await ledger.append(batchOf(changes, { onChange: 'amend' }))
    const wanted = [
      ...records
        .filter((record) => record !== second)
        .map((record) => {
          if (record === first) return rowOf(amended, { revision: 1, replaced: [first.cell, first.credits] })
          if (record === third) return rowOf(withoutPrice, { revision: 1, replaced: [third.cell, third.credits] })
          return rowOf(record)
        }),
      // The charge before it was at another instant.
      rowOf(moved, { revision: 1 }),
    ].sort((one, other) => one.at - other.at || (typeof one.messageId === 'number' ? -1 : 1))
    for (const limit of [1, 7, 1000]) {
      const byTime = (rows: readonly { readonly at: number; readonly messageId: unknown }[]) =>
        rows.toSorted((one, other) => one.at - other.at || String(one.messageId).localeCompare(String(other.messageId)))
      assert.deepEqual(byTime(await keptOf(ledger, ALL, limit)), byTime(wanted))
      const range = { from: START + 20_000_000, to: START + 100_000_000 }
      assert.deepEqual(
        byTime(await keptOf(ledger, range, limit)),
        byTime(wanted.filter(({ at }) => at >= range.from && at < range.to)),
      )
    }
    const lines = await ledger.read('default', (view) => view.page({ ...ALL, limit: 1000 }))
    assert.deepEqual(
      (await keptOf(ledger, ALL, 1000)).map(({ messageId }) => messageId),
      lines.map(({ messageId }) => messageId),
      'in the order of lines',
    )
  })

  test('models and features that count to "(other)" are kept and charged anew as they were reported', async () => {
    await using opened = await open({ namesMax: 1 })
    const { ledger } = opened
    const names = [
      { model: 'a' },
      { model: 'b' },
      { model: 'b', feature: 'x' },
      { model: 'c', feature: 'y' },
      {},
    ] as const
    const records = names.map((each, id) => recordOf(id, { content: id, ...each }))
    await ledger.append(batchOf(records))
    assert.deepEqual(
      await keptOf(ledger, ALL, 2),
      records.map((record) => rowOf(record)),
    )
    const anew = records.map((record) => ({ ...record, cell: { ...record.cell, rateCard: 'b' } }))
    const batch = { ...batchOf(anew, { onChange: 'recharge' }), revisions: records.map(() => 0) }
    assert.deepEqual(
      await statusesOf(ledger, batch),
      records.map(() => 'amended'),
    )
    for (const limit of [2, 1000])
      assert.deepEqual(
        await keptOf(ledger, ALL, limit),
        anew.map((record, row) =>
          rowOf(record, { revision: 1, replaced: [records[row]?.cell, records[row]?.credits] }),
        ),
      )
    const totals = await ledger.read('default', (view) => view.totals({ ...ALL, group: ['model', 'feature'] }))
    assert.deepEqual(
      totals.map(({ model, feature, messages }) => [model, feature, messages]).sort(),
      [
        ['(other)', 'x', 1],
        ['(other)', '(other)', 1],
        ['(other)', undefined, 1],
        ['a', undefined, 1],
        [undefined, undefined, 1],
      ].sort(),
    )
  })

  test('a charge is made anew only if it is still the one that was priced', async () => {
    await using opened = await open()
    const { ledger } = opened
    const records = [1, 2, 3, 4].map((id) => recordOf(id, { content: id }))
    await ledger.append(batchOf([...records, unpricedOf(5, { content: 5 })]))
    const anew = (record: Priced) => ({ ...record, cell: { ...record.cell, rateCard: 'b' } })
    const amended = { ...(records[1] as Priced), cell: { rateCard: 'c' } }
    await ledger.append(batchOf([amended], { onChange: 'amend' }))
    const [one, two, three, four] = records as [Priced, Priced, Priced, Priced]
    const recharge = (rows: readonly Priced[], revisions: readonly number[]) =>
      statusesOf(ledger, { ...batchOf(rows, { onChange: 'recharge' }), revisions })
    const { credits: _, ...withoutPrice } = anew(three)
    const rows = [anew(one), anew(two), withoutPrice, { ...anew(four), digest: new Uint8Array(16) }]
    const priced = anew(recordOf(5, { content: 5 }))
    assert.deepEqual(await recharge([...rows, priced, one], [0, 0, 0, 0, 0, 1]), [
      'amended',
      'duplicate',
      'amended',
      'conflict',
      'amended',
      'amended',
    ])
    assert.deepEqual(await recharge([...rows, priced], [0, 1, 0, 0, 0]), [
      'duplicate',
      'amended',
      'duplicate',
      'conflict',
      'duplicate',
    ])
    const [total] = await ledger.read('default', (view) => view.totals({ ...ALL, group: [] }))
    assert.deepEqual([total?.messages, total?.unpriced, total?.credits], [5, 1, 7_400_000n])
  })

  test('no charge of a closed period is made anew, nor is one that adjusts it', async () => {
    await using opened = await open()
    const { ledger } = opened
    const early = recordOf(1, { content: 1 })
    await ledger.append(batchOf([early]))
    await ledger.decide('default', { kind: 'close', until: START + 31 * DAY_MS })
    const late = recordOf(2, { content: 2 })
    await ledger.append(batchOf([late]))
    const anew = [early, late].map((record) => ({ ...record, cell: { rateCard: 'b' } }))
    const batch = { ...batchOf(anew, { onChange: 'recharge' }), revisions: [0, 0] }
    assert.deepEqual(await statusesOf(ledger, batch), ['duplicate', 'duplicate'])
    const at = START + 31 * DAY_MS
    assert.deepEqual(await keptOf(ledger, ALL, 10), [rowOf(early), rowOf({ ...late, at }, { isAdjustment: true })])
  })
}
