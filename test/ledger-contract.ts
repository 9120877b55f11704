/** What every store must do. Each test has a store of its own. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { monotonicMs } from '#model/clock.ts'
import { createOrganizations } from '../src/identity/organizations.ts'
import type { AppendBatch, AppendOutcome, GroupTotal, Ledger } from '../src/ledger/ledger.ts'
import { acceptedAt } from '../src/ledger/priced-batch.ts'
import { type Cell, type CellFilter, DIMENSIONS, type Dimension } from '../src/model/cell.ts'
import { credits } from '../src/model/credits.ts'
import { StoreError } from '../src/model/errors.ts'
import type { LineOrder, PagePosition } from '../src/model/line-order.ts'
import { CALENDAR_BEGINS, type Organization } from '../src/model/organization.ts'
import type { Id } from '../src/model/report.ts'
import type { Priced, RecordedLine } from '../src/model/usage-record.ts'
import { amountsContract } from './ledger-amounts-contract.ts'
import { cardsContract } from './ledger-cards-contract.ts'
import { keptContract } from './ledger-kept-contract.ts'
import { compareIds, LedgerModel, sumsByKey, totalKey } from './ledger-model.ts'
import { othersContract } from './ledger-others-contract.ts'
import { rulesContract } from './ledger-rules-contract.ts'
import type { OpenLedger } from './opened-ledger.ts'
import { batchOf, DAY_MS, dayOf, recordOf, START, unpricedOf } from './priced.ts'

const ALL = { from: CALENDAR_BEGINS, to: -CALENDAR_BEGINS }

/** Only an unpriced line shows the facts. */
const lineOf = ({ digest, facts, ...line }: Priced): RecordedLine =>
  line.credits === undefined ? { ...line, facts } : line

/** The outcomes, spelled out if all were accepted. */
const append = async (ledger: Ledger, batch: AppendBatch): Promise<readonly AppendOutcome[]> => {
  const answer = await ledger.append(batch)
  assert.ok(answer !== 'other-cards')
  return answer ?? Array.from({ length: batch.priced.count }, (_, row) => acceptedAt(batch.priced, row))
}

const BOTH: readonly Dimension[] = ['report', 'member']

const GROUPS: readonly (readonly Dimension[])[] = [
  [],
  ...DIMENSIONS.map((dimension) => [dimension]),
  BOTH,
  ['outcome', 'model', 'team'],
  DIMENSIONS,
]

const linesOf = (ledger: Ledger, organizationId = 'default'): Promise<readonly RecordedLine[]> =>
  ledger.read(organizationId, (view) => view.page({ ...ALL, limit: 1_000_000 }))

const statusesOf = async (ledger: Ledger, batch: AppendBatch): Promise<readonly string[]> =>
  (await append(ledger, batch)).map(({ status }) => status)

const totalText = (key: number, total: GroupTotal, group = DIMENSIONS): string =>
  `${totalKey(key, group, total)} ${total.messages} ${total.unpriced} ${total.credits}`

const organizationOf = (id: string): Organization => ({
  id,
  name: `The ${id}`,
  createdAt: START,
  calendar: [{ effectiveFrom: CALENDAR_BEGINS, timeZone: 'Europe/London', anchorDay: 31 }],
})

/** Compares as the port says, by UTF-8 bytes. */
const simply =
  ({ by, isDescending }: LineOrder) =>
  (one: Priced, other: Priced): number => {
    const direction = isDescending ? -1 : 1
    const bytes = (some: string | undefined, others: string | undefined): number =>
      some === undefined || others === undefined
        ? direction * (Number(some === undefined) - Number(others === undefined))
        : Buffer.compare(Buffer.from(some), Buffer.from(others))
    const amounts = (some: number | undefined, others: number | undefined): number =>
      some === undefined || others === undefined
        ? direction * (Number(some === undefined) - Number(others === undefined))
        : some - others
    const time = one.at - other.at || compareIds(one.messageId, other.messageId)
    if (by === 'time') return direction * time
    const first = {
      id: compareIds(one.messageId, other.messageId),
      credits: amounts(one.credits, other.credits),
      member: bytes(one.cell.member, other.cell.member),
      report: bytes(one.cell.reportName, other.cell.reportName),
    }[by]
    return direction * first || time
  }

const create = (ledger: Ledger, organization: Organization): Promise<Organization | undefined> =>
  ledger.decide(organization.id, { kind: 'create-organization', organization })

export const ledgerContract = (name: string, open: OpenLedger): void => {
  describe(`the ledger in ${name}`, () => {
    test('a message is charged once: the same content again is a duplicate, other content a conflict', async () => {
      await using opened = await open()
      const { ledger } = opened
      const first = recordOf(1, { content: 1, micros: 5_000_000 })
      assert.deepEqual(await append(ledger, batchOf([first])), [{ status: 'accepted', credits: 5_000_000 }])
      assert.deepEqual(await append(ledger, batchOf([first, recordOf(1, { content: 2, micros: 7_000_000 })])), [
        { status: 'duplicate', credits: 5_000_000 },
        { status: 'conflict', credits: 5_000_000 },
      ])
      assert.deepEqual(await linesOf(ledger), [lineOf(first)])
      assert.deepEqual(await append(ledger, batchOf([])), [])
    })

    test('a change of anything shown of a charge amends it; without amending, the same content stays a duplicate', async () => {
      await using opened = await open()
      const { ledger } = opened
      const first = recordOf(1, { reportId: 5392, reportName: 'Report', micros: 79_000_000 })
      await ledger.append(batchOf([first]))
      const changes: readonly Priced[] = [
        { ...first, credits: credits(35_000_000) },
        { ...first, cell: { ...first.cell, reportName: 'Another name' } },
        { ...first, cell: { ...first.cell, rateCard: 'standard-2025' } },
        { ...first, timestamp: '2024-05-01T00:00:00+00:00' },
      ]
      for (const changed of changes) {
        assert.deepEqual(await statusesOf(ledger, batchOf([changed])), ['duplicate'])
        const amend = batchOf([changed], { onChange: 'amend' })
        assert.deepEqual(await statusesOf(ledger, amend), ['amended'])
        assert.deepEqual(await statusesOf(ledger, amend), ['duplicate'])
        assert.deepEqual(await linesOf(ledger), [lineOf(changed)])
      }
      const charges = await ledger.read('default', (view) => view.charges(1))
      assert.deepEqual(
        charges.map(({ revision, supersededBy }) => [revision, supersededBy]),
        [
          [4, undefined],
          [3, 4],
          [2, 3],
          [1, 2],
          [0, 1],
        ],
      )
    })

    test('of several messages with the same id in a batch, the first counts', async () => {
      await using opened = await open()
      const batch = batchOf([
        recordOf('a', { content: 1 }),
        recordOf('a', { content: 1 }),
        recordOf('a', { content: 2 }),
      ])
      assert.deepEqual(await statusesOf(opened.ledger, batch), ['accepted', 'duplicate', 'conflict'])
    })

    test('ids differ by type and by every character, and are returned unchanged', async () => {
      await using opened = await open()
      const ids: readonly Id[] = [
        ...[-(2 ** 53 - 1), -5, 0, 999, 1000, 2 ** 53 - 1],
        ...[
          ' ',
          '"',
          '""',
          ',',
          '1000',
          'A',
          'NULL',
          '\\',
          '\\\\',
          'a',
          'a\nb',
          'null',
          'x'.repeat(200),
          '{}',
          'é',
          '\uffee',
          '😀',
        ],
      ]
      const records = ids.map((id) => recordOf(id))
      const statuses = await statusesOf(opened.ledger, batchOf(records.toReversed()))
      assert.deepEqual(new Set(statuses), new Set(['accepted']))
      assert.deepEqual(
        (await linesOf(opened.ledger)).map(({ messageId }) => messageId),
        ids,
        'integers come before texts, by value; texts are ordered by their bytes',
      )
    })

    test('a record is returned exactly as written, and absent fields stay absent', async () => {
      await using opened = await open()
      const { ledger } = opened
      const records = [
        recordOf(1, { timestamp: '2024-05-01t02:00:00.000000001+02:00' }),
        recordOf(2, { at: START + 1, member: 'O\'Neil, "the {boss}"\\', reportId: 5392, reportName: 'A "name", é' }),
        recordOf(3, { at: START + 2, member: 'NULL', reportId: '007', reportName: 'x', micros: 0 }),
        recordOf(4, { at: Date.parse('0001-01-01T00:00:00Z') }),
        recordOf(5, { at: Date.parse('9999-12-31T23:59:59.999Z'), micros: (2 ** 33 - 1) * 1_000_000 }),
      ]
      await ledger.append(batchOf(records))
      const [, , , first] = records
      assert.deepEqual(
        await linesOf(ledger),
        [first, ...records.filter((each) => each !== first)].map((each) => lineOf(each as Priced)),
      )
      const [charge] = await ledger.read('default', (view) => view.charges(2))
      assert.deepEqual(
        {
          ...charge,
          facts: new Uint8Array(charge?.facts ?? []),
          digest: new Uint8Array(charge?.digest ?? []),
        },
        { ...(records[1] as Priced), revision: 0, recordedAt: START },
      )
      assert.deepEqual(await ledger.read('default', (view) => view.charges('2')), [])
    })

    test('a changed message is amended: the old charge is kept as superseded, and only the new one counts', async () => {
      await using opened = await open()
      const { ledger } = opened
      const amend = { onChange: 'amend' } as const
      await ledger.append(
        batchOf([recordOf(1, { content: 1, member: 'ada', reportId: 5, reportName: 'Five' }), recordOf(2)], amend),
      )
      const changed = recordOf(1, { content: 2, at: START + 3 * DAY_MS, micros: 9_000_000, member: 'bob' })
      assert.deepEqual(await statusesOf(ledger, batchOf([changed, recordOf(2)], amend)), ['amended', 'duplicate'])
      assert.deepEqual(await statusesOf(ledger, batchOf([changed], amend)), ['duplicate'])
      const again = recordOf(1, { content: 3, micros: 4_000_000 })
      assert.deepEqual(await statusesOf(ledger, batchOf([again, changed, again], amend)), [
        'amended',
        'amended',
        'amended',
      ])
      const charges = await ledger.read('default', (view) => view.charges(1))
      assert.deepEqual(
        charges.map(({ revision, supersededBy, credits: amount }) => [revision, supersededBy, amount]),
        [
          [4, undefined, 4_000_000],
          [3, 4, 9_000_000],
          [2, 3, 4_000_000],
          [1, 2, 9_000_000],
          [0, 1, 1_850_000],
        ],
      )
      assert.deepEqual(await linesOf(ledger), [lineOf(again), lineOf(recordOf(2))])
      const days = await ledger.read('default', (view) => view.dayTotals({ ...ALL, group: ['report', 'member'] }))
      assert.deepEqual(days, [{ dayStart: START, messages: 2, unpriced: 0, credits: 5_850_000n }])
    })

    test('the same batch sent sixteen times at once, through two ledgers, is charged once', async () => {
      await using opened = await open()
      const other = await opened.another()
      const records = Array.from({ length: 500 }, (_, id) => recordOf(id, { at: START + id * 1000 }))
      const [batch, backwards] = [batchOf(records), batchOf(records.toReversed())]
      const answers = await Promise.all(
        Array.from({ length: 16 }, (_, at) =>
          append(at % 2 === 0 ? opened.ledger : other, at % 3 === 0 ? backwards : batch),
        ),
      )
      const statuses = answers.flat().map(({ status }) => status)
      assert.equal(statuses.filter((status) => status === 'accepted').length, 500)
      assert.equal(statuses.filter((status) => status === 'duplicate').length, 15 * 500)
      const totals = await other.read('default', (view) => view.dayTotals({ ...ALL, group: [] }))
      assert.deepEqual(totals, [{ dayStart: START, messages: 500, unpriced: 0, credits: 925_000_000n }])
    })

    test('messages that two processes amend at once have consecutive revisions, one current charge each, and matching totals', async () => {
      await using opened = await open()
      const ledgers = [opened.ledger, await opened.another()]
      const members = ['ada', 'bob', undefined]
      const contentOf = (id: Id, content: number): Priced => {
        const member = members[content % 3]
        return recordOf(id, {
          content,
          micros: 1_000_000 + content,
          at: START + (content % 4) * DAY_MS,
          ...(member !== undefined && { member }),
          ...(content % 2 === 0 && { reportId: content % 5, reportName: `Report ${content % 5}` }),
        })
      }
      const ids: readonly Id[] = [1, 2, 3, 4, 5, 6, 'a', 'b', 'c', 'd']
      const write = async (ledger: Ledger, server: number): Promise<void> => {
        for (let round = 0; round < 40; round++) {
          const content = 1 + ((round * 2 + server) % 250)
          // Each writer uses its own order and adds a new message.
          const from = (round * 7 + server * 3) % ids.length
          const some = [...ids.slice(from), `new ${round}`, ...ids.slice(0, from)].slice(0, 1 + ((round * 5) % 11))
          const order = (round + server) % 2 === 0 ? some : some.toReversed()
          const records = order.map((id) => contentOf(id, content))
          const onChange = round % 4 === 3 ? 'refuse' : 'amend'
          const statuses = await statusesOf(ledger, batchOf(records, { onChange }))
          const wanted = onChange === 'refuse' ? /^(accepted|duplicate|conflict)$/ : /^(accepted|duplicate|amended)$/
          for (const status of statuses) assert.match(status, wanted)
        }
      }
      await Promise.all(ledgers.flatMap((ledger, server) => [write(ledger, server), write(ledger, server + 2)]))

      const lines = await linesOf(opened.ledger)
      const known = lines.map(({ messageId }) => messageId)
      assert.equal(new Set(known).size, known.length)
      for (const id of ids) {
        const charges = await opened.ledger.read('default', (view) => view.charges(id))
        const newest = charges.length - 1
        assert.ok(newest > 10, 'it was not amended often enough')
        assert.deepEqual(
          charges.map(({ revision, supersededBy }) => [revision, supersededBy]),
          charges.map((_, index) => [newest - index, index === 0 ? undefined : newest - index + 1]),
        )
        assert.deepEqual(lines.find(({ messageId }) => messageId === id)?.credits, charges[0]?.credits)
      }
      const totals = await opened.ledger.read('default', (view) =>
        view.dayTotals({ ...ALL, group: ['report', 'member'] }),
      )
      const keyOf = (line: RecordedLine) => Math.floor(line.at / DAY_MS) * DAY_MS
      const sums = Map.groupBy(lines, (line) => JSON.stringify([keyOf(line), line.cell.reportId, line.cell.member]))
      assert.deepEqual(
        totals.map((total) => totalText(total.dayStart, total, BOTH)).sort(),
        [...sums.values()]
          .map((same) => {
            const [first] = same as [RecordedLine]
            const amount = same.reduce((sum, line) => sum + BigInt(line.credits ?? 0), 0n) as GroupTotal['credits']
            return totalText(keyOf(first), { ...first.cell, messages: same.length, unpriced: 0, credits: amount }, BOTH)
          })
          .sort(),
      )
      const days = await opened.ledger.read('default', (view) => view.dayTotals({ ...ALL, group: [] }))
      assert.equal(
        days.reduce((sum, { messages }) => sum + messages, 0),
        lines.length,
      )
      assert.equal(
        days.reduce((sum, { credits: amount }) => sum + amount, 0n),
        lines.reduce((sum, line) => sum + BigInt(line.credits ?? 0), 0n),
      )
    })

    test('pages return everything once, in order, with any filter', async () => {
      await using opened = await open()
      const { ledger } = opened
      const records = Array.from({ length: 300 }, (_, index) =>
        recordOf(index % 2 === 0 ? index : `m${index}`, {
          at: START + Math.floor(index / 7) * 10_000_000,
          ...(index % 3 === 0 && { member: `u${index % 4}` }),
          ...(index % 5 === 0 && { reportId: index % 10, reportName: 'R' }),
        }),
      )
      const model = new LedgerModel()
      model.append(batchOf(records))
      await ledger.append(batchOf(records))
      await create(ledger, organizationOf('default2'))
      await ledger.append(batchOf([recordOf('elsewhere')], { organizationId: 'default2' }))
      for (const filter of [
        {},
        { member: 'u0' },
        { reportId: 5 },
        { reportId: '0', member: 'u0' },
        { member: 'nobody' },
      ]) {
        const range = { from: START + 20_000_000, to: START + 300_000_000 }
        const wanted = model
          .lines('default')
          .filter(({ at }) => at >= range.from && at < range.to)
          .filter(({ cell }) => !('member' in filter) || cell.member === filter.member)
          .filter(({ cell }) => !('reportId' in filter) || String(cell.reportId) === String(filter.reportId))
          .map(lineOf)
        for (const limit of [1, 7, 1000]) {
          const found: RecordedLine[] = []
          let after: PagePosition | undefined
          for (;;) {
            const query = { ...range, ...filter, limit, ...(after && { after }) }
            const page = await ledger.read('default', (view) => view.page(query))
            found.push(...page)
            after = page.at(-1)
            if (page.length < limit) break
          }
          assert.deepEqual(found, wanted)
        }
      }
    })

    test('lines come in every order, page by page, the same as sorted by a simple comparison', async () => {
      await using opened = await open()
      const { ledger } = opened
      const members = ['', 'ada', 'Ada', 'é', '\uffee', '😀', 'zoe']
      const records = Array.from({ length: 5000 }, (_, index) => {
        const member = members[index % 7]
        return recordOf(index % 3 === 0 ? `m${index % 1000}-${index}` : index, {
          at: START + ((index * 7919) % 40) * 3_600_000,
          micros: ((index * 31) % 17) * 1_000_000,
          ...(member !== '' && { member }),
          ...(index % 5 === 0 && { reportId: index % 4, reportName: `R${['\uffee', '😀'][index % 2]}${index % 3}` }),
        })
      })
      await ledger.append(batchOf(records))
      for (const by of ['time', 'credits', 'id', 'member', 'report'] as const) {
        for (const isDescending of [false, true]) {
          for (const filter of [{}, { member: 'é' }, { reportId: 0 }]) {
            const order = { by, isDescending }
            const range = { from: START + 3_600_000, to: START + 39 * 3_600_000 }
            const wanted = records
              .filter(({ at }) => at >= range.from && at < range.to)
              .filter(({ cell }) => !('member' in filter) || cell.member === filter.member)
              .filter(({ cell }) => !('reportId' in filter) || cell.reportId === filter.reportId)
              .sort(simply(order))
              .map(lineOf)
            const found: RecordedLine[] = []
            for (let after: PagePosition | undefined; ; after = found.at(-1)) {
              const query = { ...range, ...filter, order, limit: 1500, ...(after && { after }) }
              const page = await ledger.read('default', (view) => view.page(query))
              found.push(...page)
              if (page.length < 1500) break
            }
            assert.deepEqual(found, wanted, `${by}, ${isDescending ? 'descending' : 'ascending'}`)
          }
        }
      }
    })

    test('a page that begins after the range is empty, in either direction', async () => {
      await using opened = await open()
      const { ledger } = opened
      const records = Array.from({ length: 10 }, (_, index) => recordOf(index, { at: START + index, member: 'ada' }))
      await ledger.append(batchOf(records))
      const [early, late] = [records[2], records[8]].map((record) => lineOf(record as Priced))
      for (const filter of [{}, { member: 'ada' }]) {
        const pageAfter = (isDescending: boolean, after: PagePosition | undefined) =>
          ledger.read('default', (view) =>
            view.page({
              ...{ from: START + 4, to: START + 6, limit: 10, order: { by: 'time', isDescending }, ...filter },
              ...(after && { after }),
            }),
          )
        assert.deepEqual(await pageAfter(false, late), [])
        assert.deepEqual(await pageAfter(true, early), [])
        assert.equal((await pageAfter(false, early)).length, 2)
        assert.equal((await pageAfter(true, late)).length, 2)
      }
    })

    test('totals of a range are those of the days that start in it, for whole periods and for any other days', async () => {
      await using opened = await open()
      const { ledger } = opened
      // From April 17 to July 15, with a report that is renamed twice and back.
      const records = Array.from({ length: 3000 }, (_, id) => {
        const day = (id * 37) % 90
        const name = ['Third', 'Second', 'First', 'Third'][Math.floor(day / 25)]
        return recordOf(id, {
          at: START + (day - 14) * DAY_MS + ((id * 7919) % DAY_MS),
          micros: id * 1000,
          ...(id % 3 !== 0 && { member: `m${id % 500}` }),
          ...(id % 4 === 0 && { reportId: 5, reportName: `${name} name` }),
        })
      })
      await ledger.append(batchOf(records))
      await ledger.append(batchOf([recordOf(7, { at: START + 70 * DAY_MS, content: 1 })], { onChange: 'amend' }))
      const day = (days: number): number => START + days * DAY_MS
      const ranges = [
        { from: day(0), to: day(31) },
        { from: day(0), to: day(61) },
        { from: day(-3), to: day(40) },
        { from: day(10), to: day(20) },
        { from: day(0) + 1, to: day(31) + 1 },
        { from: day(300), to: day(400) },
        ALL,
      ]
      for (const group of [[], ['report'], ['member'], ['report', 'member'], ['member', 'report']] as const) {
        for (const range of ranges) {
          const [totals, days] = await ledger.read('default', async (view) => [
            await view.totals({ ...range, group }),
            await view.dayTotals({ ...range, group }),
          ])
          const keyOf = ({ reportId, member }: GroupTotal) => JSON.stringify([reportId ?? null, member ?? null])
          const sums = Map.groupBy(days, keyOf)
          assert.deepEqual(
            totals.map((total) => `${totalText(0, total)} ${total.reportName}`).sort(),
            [...sums.values()]
              .map((same) => {
                const total = {
                  ...(same.at(-1) as GroupTotal),
                  messages: same.reduce((sum, { messages }) => sum + messages, 0),
                  credits: same.reduce((sum, each) => sum + each.credits, 0n) as GroupTotal['credits'],
                }
                return `${totalText(0, total)} ${total.reportName}`
              })
              .sort(),
          )
        }
      }
    })

    test('totals by any dimensions, and of the cells that any filter means, are those of the lines', async () => {
      await using opened = await open()
      const { ledger } = opened
      const pick = <T>(values: readonly T[], at: number): T | undefined => values[at % (values.length + 1)]
      const records = Array.from({ length: 2000 }, (_, id) => {
        const [member, team] = [pick(['ada', 'bob'], id), pick(['legal', 'ada', 'a b'], id >> 1)]
        const [used, feature] = [pick(['gpt-5.4', 'small'], id >> 2), pick(['true', 'chat', 'small'], id >> 3)]
        const [outcome, report] = [pick(['failed', 'utility'] as const, id >> 4), pick([5, 'x'], id >> 5)]
        return recordOf(id, {
          at: START + ((id * 7919) % 70) * DAY_MS + (id % 24) * 3_600_000,
          micros: id * 1000,
          rateCard: id % 7 === 0 ? 'standard-2025' : 'standard-2024',
          ...(member !== undefined && { member }),
          ...(team !== undefined && { team }),
          ...(used !== undefined && { model: used }),
          ...(feature !== undefined && { feature }),
          ...(outcome !== undefined && { outcome }),
          ...(report !== undefined && { reportId: report, reportName: `Report ${report}` }),
        })
      })
      await ledger.append(batchOf(records))
      const range = { from: START + DAY_MS, to: START + 66 * DAY_MS }
      const within = { from: range.from + 5000, to: range.to - DAY_MS / 2 }
      const filters: readonly (readonly [CellFilter, (cell: Cell) => boolean])[] = [
        [{}, () => true],
        [{ team: 'legal' }, ({ team }) => team === 'legal'],
        [{ model: 'small' }, (cell) => cell.model === 'small'],
        [{ feature: 'small', member: 'ada' }, ({ feature, member }) => feature === 'small' && member === 'ada'],
        [{ outcome: 'failed' }, ({ outcome }) => outcome === 'failed'],
        [{ outcome: 'succeeded', reportId: 5 }, (cell) => cell.outcome === undefined && cell.reportId === 5],
        [{ rateCard: 'standard-2025' }, ({ rateCard }) => rateCard === 'standard-2025'],
        [{ team: 'nobody' }, () => false],
      ]
      for (const [filter, isMeant] of filters) {
        const own = records.filter(({ cell }) => isMeant(cell))
        const inDays = own.filter(({ at }) => at >= range.from && at < range.to)
        const lines = await ledger.read('default', (view) => view.page({ ...range, ...filter, limit: 5000 }))
        assert.deepEqual(
          lines.map(({ messageId }) => messageId).sort(),
          inDays.map(({ messageId }) => messageId).sort(),
        )
        for (const group of GROUPS) {
          const which = { ...filter, group }
          const [days, totals, parts] = await ledger.read('default', async (view) => [
            await view.dayTotals({ ...range, ...which }),
            await view.totals({ ...range, ...which }),
            await view.rangeTotals({ ranges: [within, range], ...which }),
          ])
          const sums = (records: readonly Priced[], keyOf: (record: Priced) => number) =>
            sumsByKey(records, (record) => totalKey(keyOf(record), group, record.cell))
          assert.deepEqual(
            days.map(({ dayStart, ...total }) => totalText(dayStart, total, group)).sort(),
            sums(inDays, ({ at }) => dayOf(at).start),
          )
          assert.deepEqual(
            totals.map((total) => totalText(0, total, group)).sort(),
            sums(inDays, () => 0),
          )
          assert.deepEqual(
            parts
              .filter((part) => part.range === 0)
              .map((total) => totalText(0, total, group))
              .sort(),
            sums(
              own.filter(({ at }) => at >= within.from && at < within.to),
              () => 0,
            ),
          )
        }
      }
    })

    test('a message without a price is kept and counted apart, and an amendment adds or removes the price', async () => {
      await using opened = await open()
      const { ledger } = opened
      const amend = { onChange: 'amend' } as const
      const unpriced = unpricedOf(1, { member: 'ada', content: 1 })
      assert.deepEqual(await append(ledger, batchOf([unpriced, recordOf(2)])), [
        { status: 'accepted' },
        { status: 'accepted', credits: 1_850_000 },
      ])
      assert.deepEqual(await append(ledger, batchOf([unpriced, unpricedOf(1, { content: 2 })])), [
        { status: 'duplicate' },
        { status: 'conflict' },
      ])
      assert.deepEqual(await linesOf(ledger), [lineOf(unpriced), lineOf(recordOf(2))])
      const everything = (group: readonly Dimension[]) =>
        ledger.read('default', async (view) => [
          await view.dayTotals({ ...ALL, group }),
          await view.totals({ from: dayOf(START).periodStart, to: START + 31 * DAY_MS, group }),
          await view.rangeTotals({ ranges: [ALL], group }),
        ])
      const sums = async (group: readonly Dimension[] = []) =>
        (await everything(group)).map((totals) =>
          totals.map(({ member, messages, unpriced: without, credits: sum }) => [member, messages, without, sum]),
        )
      const three = <T>(one: T): readonly T[] => [one, one, one]
      assert.deepEqual(await sums(), three([[undefined, 2, 1, 1_850_000n]]))
      assert.deepEqual(
        await sums(['member']),
        three([
          [undefined, 1, 0, 1_850_000n],
          ['ada', 1, 1, 0n],
        ]),
      )
      const priced = { ...recordOf(1, { member: 'ada', content: 1, micros: 5_000_000 }) }
      assert.deepEqual(await append(ledger, batchOf([priced])), [{ status: 'duplicate' }])
      assert.deepEqual(await append(ledger, batchOf([priced], amend)), [{ status: 'amended', credits: 5_000_000 }])
      assert.deepEqual(await sums(), three([[undefined, 2, 0, 6_850_000n]]))
      assert.deepEqual(await append(ledger, batchOf([unpriced], amend)), [{ status: 'amended' }])
      assert.deepEqual(await append(ledger, batchOf([unpriced], amend)), [{ status: 'duplicate' }])
      assert.deepEqual(await sums(), three([[undefined, 2, 1, 1_850_000n]]))
      const charges = await ledger.read('default', (view) => view.charges(1))
      assert.deepEqual(
        charges.map(({ revision, supersededBy, credits: amount }) => [revision, supersededBy, amount]),
        [
          [2, undefined, undefined],
          [1, 2, 5_000_000],
          [0, 1, undefined],
        ],
      )
    })

    test('an unpriced message changes no sum of a closed period, and what it costs later is an adjustment', async () => {
      await using opened = await open()
      const { ledger } = opened
      const amend = { onChange: 'amend' } as const
      const [april, may, june] = [START - 5 * DAY_MS, START, START + 31 * DAY_MS]
      const at = { at: april }
      await ledger.append(batchOf([unpricedOf('never', at), recordOf('once', { ...at, micros: 5_000_000 })]))
      await ledger.decide('default', { kind: 'close', until: may })
      const sumOf = async (from: number, to: number) => {
        const [total] = await ledger.read('default', (view) => view.totals({ from, to, group: [] }))
        return total && [total.messages, total.unpriced, total.credits]
      }
      const late = unpricedOf('late', { at: april + 1 })
      assert.deepEqual(await append(ledger, batchOf([late])), [{ status: 'accepted' }])
      assert.deepEqual(await append(ledger, batchOf([unpricedOf('once', { ...at, content: 2 })], amend)), [
        { status: 'amended' },
      ])
      assert.deepEqual(
        [await sumOf(april, may), await sumOf(may, june)],
        [
          [2, 1, 5_000_000n],
          [2, 2, 0n],
        ],
      )
      const now = [
        recordOf('never', { ...at, micros: 1_000_000 }),
        recordOf('once', { ...at, micros: 3_000_000 }),
        recordOf('late', { at: april + 1, micros: 2_000_000 }),
      ]
      assert.deepEqual(
        await append(ledger, batchOf(now, amend)),
        now.map(({ credits: amount }) => ({ status: 'amended', credits: amount })),
      )
      assert.deepEqual(
        [await sumOf(april, may), await sumOf(may, june)],
        [
          [2, 1, 5_000_000n],
          [3, 0, 1_000_000n],
        ],
      )
    })

    test('only a message that still has no price and is still the same gets one later, or another card, once, whichever process has it', async () => {
      await using opened = await open()
      const { ledger } = opened
      const other = await opened.another()
      const price = { onChange: 'price' } as const
      const [april, may] = [START - 5 * DAY_MS, START]
      const places = {
        open: { at: may },
        closed: { at: april },
        'other content': { content: 2 },
        'other timestamp': { timestamp: '2024-05-01T00:00:00+00:00' },
        charged: { micros: 1_000_000 },
        'closed without a price': { at: april },
        'without a price': {},
      }
      const records = Object.entries(places).map(([id, place]) => (id === 'charged' ? recordOf : unpricedOf)(id, place))
      await ledger.append(batchOf(records))
      await ledger.decide('default', { kind: 'close', until: may })
      const again = (id: keyof typeof places, micros: number) =>
        recordOf(id, { at: (places[id] as { at?: number }).at ?? may, micros, rateCard: 'later' })
      const batch = batchOf(
        [
          again('open', 3_000_000),
          again('closed', 4_000_000),
          again('other content', 5_000_000),
          again('other timestamp', 5_000_000),
          again('charged', 5_000_000),
          unpricedOf('closed without a price', { at: april, rateCard: 'later' }),
          unpricedOf('without a price', { rateCard: 'later' }),
        ],
        price,
      )
      const all = await Promise.all([append(ledger, batch), append(other, batch)])
      const untouched = [
        { status: 'conflict' },
        { status: 'duplicate' },
        { status: 'duplicate', credits: 1_000_000 },
        { status: 'duplicate' },
      ]
      assert.deepEqual(
        all.map((outcomes) => outcomes.slice(2, -1)),
        [untouched, untouched],
      )
      for (const row of [0, 1, batch.priced.count - 1]) {
        assert.deepEqual(all.map((outcomes) => outcomes[row]?.status).sort(), ['amended', 'duplicate'])
      }
      assert.deepEqual(await append(other, batch), [
        { status: 'duplicate', credits: 3_000_000 },
        { status: 'duplicate', credits: 4_000_000 },
        ...untouched,
        { status: 'duplicate' },
      ])
      const chargesOf = async (id: string) =>
        (await ledger.read('default', (view) => view.charges(id))).map(
          ({ revision, supersededBy, adjusts, credits: amount, cell }) =>
            `${revision} ${supersededBy} ${adjusts} ${amount} ${cell.rateCard}`,
        )
      assert.deepEqual(await chargesOf('open'), [
        '1 undefined undefined 3000000 later',
        '0 1 undefined undefined standard-2024',
      ])
      assert.deepEqual(await chargesOf('closed'), [
        `1 undefined ${april} 4000000 later`,
        '0 undefined undefined undefined standard-2024',
      ])
      assert.deepEqual(await chargesOf('without a price'), [
        '1 undefined undefined undefined later',
        '0 1 undefined undefined standard-2024',
      ])
      assert.equal((await chargesOf('closed without a price')).length, 1)
      const [total] = await ledger.read('default', (view) => view.totals({ ...ALL, group: [] }))
      assert.deepEqual([total?.messages, total?.unpriced, total?.credits], [8, 5, 8_000_000n])
    })

    test('unpriced lines come last by credits in either direction, and can be listed alone', async () => {
      await using opened = await open()
      const { ledger } = opened
      const records = Array.from({ length: 60 }, (_, id) =>
        (id % 3 === 0 ? unpricedOf : recordOf)(id, {
          at: START + ((id * 7) % 40) * 6 * 3_600_000,
          micros: (id % 5) * 1_000_000,
          ...(id % 2 === 0 && { member: 'ada' }),
        }),
      )
      await ledger.append(batchOf(records))
      for (const by of ['time', 'credits'] as const) {
        for (const isDescending of [false, true]) {
          for (const which of [{}, { unpriced: true }, { unpriced: true, member: 'ada' }] as const) {
            const order = { by, isDescending }
            const wanted = records
              .filter(({ credits: amount }) => !('unpriced' in which) || amount === undefined)
              .filter(({ cell }) => !('member' in which) || cell.member === 'ada')
              .sort(simply(order))
              .map(lineOf)
            const found: RecordedLine[] = []
            for (let after: PagePosition | undefined; ; after = found.at(-1)) {
              const query = { ...ALL, ...which, order, limit: 7, ...(after && { after }) }
              const page = await ledger.read('default', (view) => view.page(query))
              found.push(...page)
              if (page.length < 7) break
            }
            assert.deepEqual(found, wanted, `${by} ${isDescending}`)
          }
        }
      }
    })

    test('a message from a closed period is charged at the start of the open one, and nothing before that changes', async () => {
      await using opened = await open()
      const { ledger } = opened
      const other = await opened.another()
      const [april, may, june] = ['2024-04-10', '2024-05-01', '2024-06-01'].map((date) =>
        Date.parse(`${date}T00:00:00Z`),
      )
      assert.ok(april !== undefined && may !== undefined && june !== undefined)
      const closedDays = () =>
        ledger.read('default', async (view) => [
          await view.dayTotals({ from: CALENDAR_BEGINS, to: may, group: ['report', 'member'] }),
          await view.totals({ from: CALENDAR_BEGINS, to: may, group: ['member'] }),
          await view.version({ from: CALENDAR_BEGINS, to: may }),
          await view.page({ from: CALENDAR_BEGINS, to: may, limit: 100 }),
        ])
      const onTime = recordOf(1, { at: april, micros: 5_000_000, member: 'ada' })
      await ledger.append(batchOf([onTime, recordOf(2, { at: may })]))
      assert.equal(await ledger.read('default', (view) => view.closedUntil()), CALENDAR_BEGINS)
      assert.equal(await other.decide('default', { kind: 'close', until: may }), may)
      assert.equal(await ledger.decide('default', { kind: 'close', until: april }), may, 'the mark does not move back')
      assert.equal(await ledger.read('default', (view) => view.closedUntil()), may)
      const before = await closedDays()

      const late = recordOf('late', { at: april + 7, micros: 2_000_000, member: 'bob' })
      assert.deepEqual(await append(ledger, batchOf([onTime, late, recordOf(3, { at: may + 1 })])), [
        { status: 'duplicate', credits: 5_000_000 },
        { status: 'accepted', credits: 2_000_000 },
        { status: 'accepted', credits: 1_850_000 },
      ])
      assert.deepEqual(await append(other, batchOf([late, { ...late, digest: new Uint8Array(16).fill(9) }])), [
        { status: 'duplicate', credits: 2_000_000 },
        { status: 'conflict', credits: 2_000_000 },
      ])
      const { adjusts, ...asReported } = (await linesOf(ledger)).find(({ messageId }) => messageId === 'late') ?? {}
      assert.equal(adjusts, late.at)
      assert.deepEqual(asReported, { ...lineOf(late), at: may })
      assert.deepEqual(await closedDays(), before)
      assert.deepEqual(
        await ledger.read('default', (view) => view.dayTotals({ from: may, to: june, group: ['member'] })),
        [
          { dayStart: may, messages: 2, unpriced: 0, credits: 3_700_000n },
          { dayStart: may, member: 'bob', messages: 1, unpriced: 0, credits: 2_000_000n },
        ],
      )
    })

    test('of several messages with the same id in a batch, the first counts, also if it comes from a closed period', async () => {
      await using opened = await open()
      const { ledger } = opened
      await ledger.decide('default', { kind: 'close', until: START })
      const [late, onTime] = [recordOf('a', { at: START - 1, content: 1 }), recordOf('a', { at: START, content: 2 })]
      assert.deepEqual(await statusesOf(ledger, batchOf([late, onTime])), ['accepted', 'conflict'])
      const second = [late, onTime].map((record) => ({ ...record, messageId: 'b' }))
      assert.deepEqual(await statusesOf(ledger, batchOf(second, { onChange: 'amend' })), ['accepted', 'amended'])
      const [, line] = await linesOf(ledger)
      assert.deepEqual(line, lineOf({ ...onTime, messageId: 'b' }))
    })

    test('an amended charge of a closed period stays, and the difference is an adjustment that can be superseded', async () => {
      await using opened = await open()
      const { ledger } = opened
      const [april, may, june] = [START - 5 * DAY_MS, START, START + 31 * DAY_MS]
      const amend = { onChange: 'amend' } as const
      const costing = (micros: number, content: number) => recordOf(1, { at: april, micros, content, member: 'ada' })
      await ledger.append(batchOf([costing(5_000_000, 1)]))
      await ledger.decide('default', { kind: 'close', until: may })
      const sumOf = async (from: number, to: number) =>
        (await ledger.read('default', (view) => view.totals({ from, to, group: [] })))[0]?.credits ?? 0n

      assert.deepEqual(await append(ledger, batchOf([costing(3_000_000, 2)], amend)), [
        { status: 'amended', credits: 3_000_000 },
      ])
      assert.deepEqual([await sumOf(april, may), await sumOf(may, june)], [5_000_000n, -2_000_000n])
      assert.deepEqual(await append(ledger, batchOf([costing(3_000_000, 2)], amend)), [
        { status: 'duplicate', credits: 3_000_000 },
      ])
      assert.deepEqual(await append(ledger, batchOf([costing(4_000_000, 3)], amend)), [
        { status: 'amended', credits: 4_000_000 },
      ])
      assert.deepEqual([await sumOf(april, may), await sumOf(may, june)], [5_000_000n, -1_000_000n])

      await ledger.decide('default', { kind: 'close', until: june })
      assert.deepEqual(await append(ledger, batchOf([costing(9_000_000, 4)], amend)), [
        { status: 'amended', credits: 9_000_000 },
      ])
      assert.deepEqual(
        [await sumOf(april, may), await sumOf(may, june), await sumOf(june, june + DAY_MS)],
        [5_000_000n, -1_000_000n, 5_000_000n],
      )
      const charges = await ledger.read('default', (view) => view.charges(1))
      assert.deepEqual(
        charges.map(({ revision, supersededBy, credits: amount, at, adjusts }) => [
          revision,
          supersededBy,
          amount,
          at,
          adjusts,
        ]),
        [
          [3, undefined, 5_000_000, june, april],
          [2, undefined, -1_000_000, may, april],
          [1, 2, -2_000_000, may, april],
          [0, undefined, 5_000_000, april, undefined],
        ],
      )
    })

    test('no append that begins after a period was closed changes a day of it', async () => {
      await using opened = await open()
      const ledgers = [opened.ledger, await opened.another()]
      const until = START + 10 * DAY_MS
      const recordAt = (index: number) => recordOf(`m${index}`, { at: START + (index % 20) * DAY_MS })
      const write = async (ledger: Ledger, first: number): Promise<void> => {
        for (let index = first; index < first + 150; index += 3) {
          await ledger.append(batchOf([recordAt(index), recordAt(index + 1), recordAt(index + 2)]))
        }
      }
      const versionOfClosed = () =>
        opened.ledger.read('default', (view) => view.version({ from: CALENDAR_BEGINS, to: until }))
      const writing = Promise.all(
        ledgers.flatMap((ledger, at) => [write(ledger, at * 1000), write(ledger, at * 1000 + 500)]),
      )
      await opened.ledger.decide('default', { kind: 'close', until })
      // Appends that were in flight when the mark moved may still be committed.
      await Promise.all(ledgers.map((ledger) => ledger.append(batchOf([recordAt(5000 + ledgers.indexOf(ledger))]))))
      await writing
      const version = await versionOfClosed()
      await Promise.all(ledgers.map((ledger, at) => write(ledger, 10_000 * (at + 1))))
      assert.equal(await versionOfClosed(), version)
      const lines = await linesOf(opened.ledger)
      assert.equal(lines.length, 4 * 150 + 2 + 2 * 150)
      for (const { adjusts, at } of lines) assert.ok(adjusts === undefined || (adjusts < until && at === until))
    })

    test('reads that run in pieces are complete: many records, many at the same instant, many groups', async () => {
      await using opened = await open()
      const { ledger } = opened
      const records = Array.from({ length: 14_000 }, (_, id) => {
        const at = id < 5000 ? START + DAY_MS / 2 : START + ((id * 7919) % (3 * DAY_MS))
        const member = id % 2 === 0 ? 'ada' : `m${id}`
        return recordOf(id, { at, micros: id, member, ...(id % 3 === 0 && { reportId: 7, reportName: `r${id % 9}` }) })
      })
      await ledger.append(batchOf(records))
      const inTime = records.toSorted(
        (one, other) => one.at - other.at || Number(one.messageId) - Number(other.messageId),
      )
      const ranges = [
        { from: START, to: START + 3 * DAY_MS },
        { from: START + 1000, to: START + DAY_MS },
      ]
      await ledger.read('default', async (view) => {
        for (const query of [{ limit: 13_999 }, { limit: 20_000, member: 'ada' }, { limit: 3000, reportId: 7 }]) {
          const { limit, member, reportId } = query as { limit: number; member?: string; reportId?: number }
          const wanted = inTime.filter(
            ({ cell }) => (member ?? cell.member) === cell.member && (reportId ?? cell.reportId) === cell.reportId,
          )
          assert.deepEqual(await view.page({ ...ALL, ...query }), wanted.slice(0, limit).map(lineOf))
          const after = wanted[2500]
          assert.ok(after)
          const next = await view.page({ ...ALL, ...query, after })
          assert.deepEqual(next, wanted.slice(2501, 2501 + limit).map(lineOf))
        }
        for (const group of [[], ['report'], ['member'], ['member', 'report']] as const) {
          const totals = await view.rangeTotals({ ranges, group })
          for (const [range, { from, to }] of ranges.entries()) {
            const own = records.filter(({ at }) => at >= from && at < to)
            const found = totals.filter((total) => total.range === range)
            const named = Object.groupBy(own, ({ cell: { reportId, member } }) =>
              JSON.stringify(group.map((field) => String((field === 'report' ? reportId : member) ?? ''))),
            )
            assert.equal(found.length, Object.keys(named).length)
            assert.equal(
              found.reduce((sum, { messages }) => sum + messages, 0),
              own.length,
            )
            assert.equal(
              found.reduce((sum, total) => sum + total.credits, 0n),
              own.reduce((sum, record) => sum + BigInt(record.credits ?? 0), 0n),
            )
          }
          const texts = totals.map(({ range, reportId, member }) => [range, String(reportId ?? ''), member ?? ''])
          assert.equal(new Set(texts.map((each) => JSON.stringify(each))).size, totals.length)
          const days = await view.dayTotals({ ...ALL, group })
          assert.equal(
            days.reduce((sum, { messages }) => sum + messages, 0),
            records.length,
          )
        }
      })
    })

    test('an aborted read rejects with the reason of its signal, before it starts, while it runs, and while it is queued', async () => {
      await using opened = await open()
      const { ledger } = opened
      await ledger.append(batchOf([recordOf(1)]))
      const reason = new Error('the caller has left')
      const page = { ...ALL, limit: 1 }
      const early = ledger.read('default', (view) => view.page(page), { signal: AbortSignal.abort(reason) })
      await assert.rejects(early, (error) => error === reason)
      const leaving = new AbortController()
      const late = ledger.read(
        'default',
        async (view) => {
          await view.page(page)
          leaving.abort(reason)
          return view.page(page)
        },
        { signal: leaving.signal },
      )
      await assert.rejects(late, (error) => error === reason)
      const crowd = Array.from({ length: 200 }, () => {
        const left = new AbortController()
        const reading = ledger.read('default', (view) => view.page(page), { signal: left.signal })
        setImmediate(() => left.abort(reason))
        return reading.catch((error: unknown) => assert.equal(error, reason))
      })
      await Promise.all(crowd)
      assert.equal((await ledger.read('default', (view) => view.page(page))).length, 1)
    })

    test('everything in one read is from the same moment', async () => {
      await using opened = await open()
      const { ledger } = opened
      await ledger.append(batchOf([recordOf(1)]))
      await ledger.read('default', async (view) => {
        assert.equal((await view.dayTotals({ ...ALL, group: [] }))[0]?.messages, 1)
        await ledger.append(batchOf([recordOf(2)]))
        assert.equal((await view.page({ ...ALL, limit: 10 })).length, 1)
        assert.equal((await view.dayTotals({ ...ALL, group: ['member'] }))[0]?.messages, 1)
      })
      assert.equal((await linesOf(ledger)).length, 2)
    })

    test('sums beyond 2^53 are exact, and a batch that would exceed 64 bits is rejected as a whole while others succeed', async () => {
      await using opened = await open()
      const { ledger } = opened
      const micros = (2 ** 33 - 1) * 1_000_000
      const large = Array.from({ length: 1000 }, (_, id) => recordOf(id, { micros, member: `m${id % 3}` }))
      await ledger.append(batchOf(large))
      const sum = async () =>
        (await ledger.read('default', (view) => view.dayTotals({ ...ALL, group: [] })))[0]?.credits
      assert.equal(await sum(), BigInt(micros) * 1000n)
      const tooMuch = Array.from({ length: 200 }, (_, id) => recordOf(`x${id}`, { micros }))
      const answers = await Promise.allSettled([
        ledger.append(batchOf(tooMuch)),
        ledger.append(batchOf([recordOf('small', { at: START + DAY_MS })])),
      ])
      assert.deepEqual(
        answers.map(({ status }) => status),
        ['rejected', 'fulfilled'],
      )
      assert.ok(answers[0]?.status === 'rejected' && answers[0].reason instanceof StoreError)
      assert.equal(await sum(), BigInt(micros) * 1000n)
      assert.equal((await linesOf(ledger)).length, 1001)
    })

    test('the version of a range increases with every change in it, and only then', async () => {
      await using opened = await open()
      const { ledger } = opened
      const version = (): Promise<number> =>
        ledger.read('default', (view) => view.version({ from: START, to: START + DAY_MS }))
      assert.equal(await version(), 0)
      await ledger.append(batchOf([recordOf(1, { content: 1 })]))
      const first = await version()
      assert.ok(first > 0)
      await ledger.append(batchOf([recordOf(1, { content: 1 }), recordOf(2, { at: START + DAY_MS })]))
      assert.equal(await version(), first)
      await ledger.append(batchOf([recordOf(3)]))
      const second = await version()
      assert.ok(second > first)
      await ledger.append(batchOf([recordOf(1, { content: 2 })], { onChange: 'amend' }))
      assert.ok((await version()) > second)
    })

    test('the same number of changes leads to another version, as after a backup was restored', async () => {
      const versionAfter = async (ids: readonly number[]): Promise<number> => {
        await using opened = await open()
        const { ledger } = opened
        for (const id of ids) await ledger.append(batchOf([recordOf(id)]))
        return await ledger.read('default', (view) => view.version({ from: START, to: START + DAY_MS }))
      }
      assert.notEqual(await versionAfter([1, 2]), await versionAfter([1, 3]))
    })

    test('it finds the days of the first and the last message, and knows whether there are any messages', async () => {
      await using opened = await open()
      const { ledger } = opened
      assert.equal(await ledger.isEmpty(), true)
      assert.equal(await ledger.read('default', (view) => view.span()), undefined)
      await ledger.append(batchOf([recordOf(1), recordOf(2, { at: START + 5 * DAY_MS + 7 })]))
      assert.equal(await ledger.isEmpty(), false)
      assert.deepEqual(await ledger.read('default', (view) => view.span()), { first: START, last: START + 5 * DAY_MS })
    })

    test('organizations are created once, found, and listed in pages', async () => {
      await using opened = await open()
      const { ledger } = opened
      const { organizations } = ledger
      const other = await opened.another()
      assert.equal((await organizations.find('default'))?.calendar[0].timeZone, 'UTC')
      assert.equal(await organizations.find('acme'), undefined)
      const acme = organizationOf('acme')
      assert.deepEqual(await create(ledger, acme), acme)
      assert.deepEqual(await create(other, acme), acme, 'the same command again, whose answer was lost')
      assert.equal(await create(other, { ...acme, name: 'Another' }), undefined)
      assert.deepEqual(await other.organizations.find('acme'), acme)
      await create(ledger, organizationOf('zeta'))
      assert.deepEqual(
        (await organizations.list({ limit: 2 })).map(({ id }) => id),
        ['acme', 'default'],
      )
      assert.deepEqual(
        (await organizations.list({ limit: 2, after: 'default' })).map(({ id }) => id),
        ['zeta'],
      )
    })

    test('of several processes that create an organization at once, one does', async () => {
      await using opened = await open()
      const ledgers = [opened.ledger, await opened.another()]
      const wanted = Array.from({ length: 12 }, (_, index) => ({ ...organizationOf('acme'), name: `Acme ${index}` }))
      const created = await Promise.all(wanted.map((each, index) => create(ledgers[index % 2] as Ledger, each)))
      const [only, ...more] = created.filter((each) => each !== undefined)
      assert.deepEqual(more, [])
      assert.deepEqual(await opened.ledger.organizations.find('acme'), only)
    })

    test('commands of an organization are decided one after the other, whichever process they come from', async () => {
      await using opened = await open()
      const { ledger } = opened
      const other = await opened.another()
      await create(ledger, organizationOf('acme'))
      await Promise.all(
        Array.from({ length: 20 }, (_, index) =>
          (index % 2 === 0 ? ledger : other).decide('acme', {
            kind: 'change-organization',
            ...(index % 2 === 0 ? { timeZone: `Etc/GMT+${1 + (index % 9)}` } : { anchorDay: 1 + index }),
            latest: START,
          }),
        ),
      )
      const changed = await other.organizations.find('acme')
      // Each change keeps the other field of the pending change before it.
      assert.equal(changed?.calendar.length, 2)
      assert.notEqual(changed?.calendar[1]?.timeZone, 'Europe/London')
      assert.notEqual(changed?.calendar[1]?.anchorDay, 31)
      assert.deepEqual(
        await ledger.decide('acme', { kind: 'change-organization', name: 'New name', latest: START }),
        changed && { ...changed, name: 'New name' },
      )
      assert.equal(await ledger.decide('nobody', { kind: 'change-organization', name: 'x', latest: START }), undefined)
    })

    test('many commands of an organization at once are decided in order, and one that fails does not fail the others', async () => {
      await using opened = await open()
      const { ledger } = opened
      await create(ledger, organizationOf('acme'))
      const failing = 50
      const outcomes = await Promise.allSettled(
        Array.from({ length: 100 }, async (_, index): Promise<unknown> => {
          if (index === failing) {
            const hash = new Uint8Array(32)
            // Stores keep whole milliseconds.
            const key = { id: 'k', organizationId: 'acme', name: '', scopes: ['admin'] as const, createdAt: 0.5, hash }
            return ledger.decide('acme', { kind: 'create-key', key })
          }
          if (index % 2 === 0) return ledger.decide('acme', { kind: 'close', until: START + index })
          const change = { kind: 'change-organization', name: `Acme ${index}`, latest: START } as const
          return (await ledger.decide('acme', change))?.name
        }),
      )
      const [failed] = outcomes.splice(failing, 1, { status: 'fulfilled', value: START + failing })
      assert.ok(failed?.status === 'rejected' && failed.reason instanceof StoreError)
      // The mark never moves back, so it would be greater if a later command had come before.
      assert.deepEqual(
        outcomes.map((outcome) => outcome.status === 'fulfilled' && outcome.value),
        outcomes.map((_, index) => (index % 2 === 0 ? START + index : `Acme ${index}`)),
      )
      assert.equal(await ledger.read('acme', (view) => view.closedUntil()), START + 98)
      assert.equal((await ledger.organizations.find('acme'))?.name, 'Acme 99')
      assert.deepEqual(await ledger.keys.list('acme'), [])
    })

    test('an organization without a creation time is set up once', async () => {
      await using opened = await open()
      const { ledger } = opened
      const setUp = (createdAt: number, timeZone: string) =>
        ledger.decide('default', { kind: 'set-up-organization', createdAt, timeZone, anchorDay: 7 })
      const first = await setUp(START, 'Asia/Tokyo')
      assert.deepEqual(
        [first?.createdAt, first?.calendar],
        [START, [{ effectiveFrom: CALENDAR_BEGINS, timeZone: 'Asia/Tokyo', anchorDay: 7 }]],
      )
      assert.deepEqual(await setUp(START + 1, 'UTC'), first)
    })

    test('if the clock is set back, no period moves that was seen to start or has usage', async () => {
      await using opened = await open()
      const { ledger } = opened
      let time = Date.parse('2026-11-25T12:00:00Z')
      const organizations = createOrganizations({ ledger, clock: () => time, now: () => monotonicMs(time) })
      for (const id of ['seen', 'used', 'changed']) {
        await organizations.create({ id, name: id, timeZone: 'UTC', anchorDay: 1 })
      }
      const at = Date.parse('2027-02-10T00:00:00Z')
      await ledger.append(batchOf([recordOf(1, { at })], { organizationId: 'used' }))
      const startsOf = async (id: string) =>
        (await ledger.organizations.find(id))?.calendar
          .slice(1)
          .map(({ effectiveFrom }) => new Date(effectiveFrom).toISOString())
      await organizations.change('changed', { anchorDay: 10 })
      assert.deepEqual(await startsOf('changed'), ['2026-12-01T00:00:00.000Z'])
      // December has begun, and the ledger has recorded that.
      time = Date.parse('2026-12-05T00:00:00Z')
      assert.equal(await ledger.latestInstant(time), time)

      time = Date.parse('2025-11-25T12:00:00Z')
      for (const id of ['seen', 'used', 'changed']) await organizations.change(id, { anchorDay: 15 })
      assert.deepEqual(await startsOf('seen'), ['2027-01-01T00:00:00.000Z'])
      assert.deepEqual(await startsOf('used'), ['2027-03-01T00:00:00.000Z'])
      assert.deepEqual(await startsOf('changed'), ['2026-12-01T00:00:00.000Z', '2026-12-10T00:00:00.000Z'])
      assert.equal(await ledger.latestInstant(time), Date.parse('2026-12-05T00:00:00Z'))
      assert.equal(await (await opened.another()).latestInstant(0), Date.parse('2026-12-05T00:00:00Z'))
    })

    test('keys are found by hash within their organization, and revoked only once', async () => {
      await using opened = await open()
      const { keys } = opened.ledger
      assert.equal(await keys.any(), false)
      const hash = new Uint8Array(32).fill(7)
      const key = { id: 'k1', organizationId: 'default', name: 'n', scopes: ['admin'] as const, createdAt: START, hash }
      const createKey = (changes: object = {}) =>
        opened.ledger.decide('default', { kind: 'create-key', key: { ...key, ...changes } })
      assert.equal(await createKey(), true)
      assert.equal(await createKey(), true, 'the same command again, whose answer was lost')
      assert.equal(await createKey({ hash: new Uint8Array(32).fill(8) }), false)
      assert.equal(await createKey({ id: 'k2' }), false)
      const found = await keys.find('default', hash)
      assert.deepEqual({ ...found, hash: new Uint8Array(found?.hash ?? []) }, key)
      assert.equal(await keys.find('other', hash), undefined)
      assert.equal(await keys.find('default', new Uint8Array(32)), undefined)
      assert.equal(
        (await opened.ledger.decide('default', { kind: 'revoke-key', keyId: 'k1', at: START + 1 }))?.revokedAt,
        START + 1,
      )
      assert.equal(
        (await opened.ledger.decide('default', { kind: 'revoke-key', keyId: 'k1', at: START + 2 }))?.revokedAt,
        START + 1,
      )
      assert.equal(await opened.ledger.decide('other', { kind: 'revoke-key', keyId: 'k1', at: START }), undefined)
      assert.deepEqual(
        (await keys.list('default')).map(({ id, revokedAt }) => [id, revokedAt]),
        [['k1', START + 1]],
      )
      assert.equal(await keys.any(), true)
    })

    test('the use of a key is written for it alone, never moves back, and outlives a revocation', async () => {
      await using opened = await open()
      const { ledger } = opened
      const { keys } = ledger
      await create(ledger, organizationOf('acme'))
      const hashes = [1, 2].map((byte) => new Uint8Array(32).fill(byte))
      for (const [index, hash] of hashes.entries()) {
        for (const organizationId of ['default', 'acme']) {
          const key = { id: `k${index}`, organizationId, name: '', scopes: ['admin'] as const, createdAt: START, hash }
          await ledger.decide(organizationId, { kind: 'create-key', key })
        }
      }
      const [hash = new Uint8Array(), other = new Uint8Array()] = hashes
      for (const at of [START + 1, START + 9, START + 5]) await keys.used('acme', hash, at)
      await keys.used('nobody', hash, START)
      assert.equal((await keys.find('acme', hash))?.usedAt, START + 9)
      await ledger.decide('acme', { kind: 'revoke-key', keyId: 'k0', at: START + 20 })
      const usesOf = async (id: string) => (await keys.list(id)).map(({ usedAt, revokedAt }) => [usedAt, revokedAt])
      assert.deepEqual(await usesOf('acme'), [
        [START + 9, START + 20],
        [undefined, undefined],
      ])
      assert.deepEqual(await usesOf('default'), [
        [undefined, undefined],
        [undefined, undefined],
      ])
      assert.equal((await keys.find('acme', other))?.usedAt, undefined)
    })

    test('the days of several organizations are read at once, each for its own range', async () => {
      await using opened = await open()
      const { ledger } = opened
      await create(ledger, organizationOf('acme'))
      const large = credits(Number.MAX_SAFE_INTEGER)
      await ledger.append(
        batchOf([
          recordOf(1, { micros: 2_500_000 }),
          recordOf(2, { at: START + DAY_MS, micros: 1_000_000 }),
          recordOf(3, { at: START + DAY_MS + 1, micros: 1_000_001 }),
          unpricedOf(4, { at: START + DAY_MS + 2 }),
          recordOf(5, { at: START + 2 * DAY_MS, micros: 7 }),
        ]),
      )
      const ofAcme = [1, 2].map((id) => ({ ...recordOf(id), credits: large }))
      await ledger.append(batchOf(ofAcme, { organizationId: 'acme' }))
      const range = (organizationId: string, from: number, to: number) => ({
        organizationId,
        from: START + from * DAY_MS,
        to: START + to * DAY_MS,
      })
      const days = await ledger.organizations.days([
        range('default', 0, 2),
        range('nobody', 0, 9),
        range('acme', 0, 9),
        range('default', 2, 2),
      ])
      assert.deepEqual(
        days.map((each) =>
          each.map(({ dayStart, messages, unpriced, credits }) => [dayStart - START, messages, unpriced, credits]),
        ),
        [
          [
            [0, 1, 0, 2_500_000n],
            [DAY_MS, 3, 1, 2_000_001n],
          ],
          [],
          [[0, 2, 0, 2n * BigInt(large)]],
          [],
        ],
      )
      assert.deepEqual(await ledger.organizations.days([]), [])
    })

    test('the keys and the latest messages of several organizations are read at once', async () => {
      await using opened = await open()
      const { ledger } = opened
      await create(ledger, organizationOf('acme'))
      for (const [id, more] of [
        ['key_1', {}],
        ['key_2', { revokedAt: START }],
        ['key_3', {}],
      ] as const) {
        const key = { id, organizationId: 'acme', name: '', scopes: ['usage:read'], createdAt: START } as const
        await ledger.decide('acme', { kind: 'create-key', key: { ...key, ...more, hash: Buffer.from(id.padEnd(32)) } })
      }
      await ledger.append(batchOf([recordOf(1), recordOf(2, { at: START + DAY_MS }), recordOf(3, { at: START + 5 })]))
      const activity = await ledger.organizations.activity(['acme', 'nobody', 'default'])
      assert.deepEqual(activity, [{ keys: 2 }, { keys: 0 }, { keys: 0, latestAt: START + DAY_MS }])
      // One that counts no more is not the latest.
      await ledger.append(batchOf([recordOf(2, { at: START + 7, content: 1 })], { onChange: 'amend' }))
      assert.deepEqual(await ledger.organizations.activity(['default']), [{ keys: 0, latestAt: START + 7 }])
      assert.deepEqual(await ledger.organizations.activity([]), [])
    })

    test('reports are listed in pages, by id as a text', async () => {
      await using opened = await open()
      const { reports } = opened.ledger
      assert.deepEqual(await reports.list({ limit: 5 }), [])
      for (const id of [10, 9, 'b', 'B', 'é', '09']) await reports.put({ id, name: 'a', creditCost: credits(1) })
      const idsOf = async (page: Parameters<typeof reports.list>[0]) => (await reports.list(page)).map(({ id }) => id)
      assert.deepEqual(await idsOf({ limit: 10 }), ['09', 10, 9, 'B', 'b', 'é'])
      assert.deepEqual(await idsOf({ limit: 2, after: '10' }), [9, 'B'])
      assert.deepEqual(await idsOf({ limit: 2, after: 'é' }), [])
    })

    test('reports are stored, found by number or string id, and removed', async () => {
      await using opened = await open()
      const { reports } = opened.ledger
      const report = { id: 5392, name: 'A "report"', creditCost: credits(79_000_001) }
      assert.equal(await reports.put(report), 'created')
      assert.equal(await reports.put({ ...report, id: '5392' }), 'replaced')
      assert.deepEqual(await reports.find('5392'), report)
      assert.equal(await reports.remove(5392), true)
      assert.equal(await reports.remove(5392), false)
      assert.equal(await reports.find(5392), undefined)
    })

    test('acknowledged records are there after the store is closed, and closing waits for appends in flight', async () => {
      await using opened = await open()
      const other = await opened.another()
      const key = await other.contentKey()
      const appends = Array.from({ length: 20 }, (_, index) => other.append(batchOf([recordOf(index)])))
      await Promise.all([...appends, other.close()])
      assert.equal((await linesOf(opened.ledger)).length, 20)
      assert.equal(await opened.ledger.contentKey(), key, 'the content key is created once')
    })

    cardsContract(open)
    othersContract(open)

    keptContract(open)
    amountsContract(open)

    rulesContract(open)

    test('it agrees with a simple model for any sequence of batches', async () => {
      const entry = fc.record({
        id: fc.oneof(fc.integer({ min: 0, max: 12 }), fc.constantFrom('0', 'a', 'b', 'é')),
        content: fc.integer({ min: 0, max: 2 }),
        at: fc.integer({ min: -3 * DAY_MS, max: 3 * DAY_MS }),
        micros: fc.option(fc.integer({ min: 0, max: 1_000_000_000 }), { nil: undefined, freq: 4 }),
        member: fc.option(fc.constantFrom('ada', 'bob'), { nil: undefined }),
        report: fc.option(fc.constantFrom(1, 2, 'x'), { nil: undefined }),
        team: fc.option(fc.constantFrom('legal', 'ada'), { nil: undefined }),
        model: fc.option(fc.constantFrom('small', 'large'), { nil: undefined }),
        feature: fc.option(fc.constantFrom('true', 'small'), { nil: undefined }),
        outcome: fc.option(fc.constantFrom('failed' as const, 'retried' as const), { nil: undefined }),
      })
      const step = fc.record({
        organization: fc.constantFrom('default', 'acme'),
        onChange: fc.constantFrom('refuse' as const, 'refuse' as const, 'amend' as const, 'price' as const),
        entries: fc.array(entry, { maxLength: 12 }),
      })
      await fc.assert(
        fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 8 }), async (steps) => {
          await using opened = await open()
          const { ledger } = opened
          const model = new LedgerModel()
          await create(ledger, organizationOf('acme'))
          for (const { organization, onChange, entries } of steps) {
            const records = entries.map(({ id, content, at, micros, member, report, team, model, feature, outcome }) =>
              // Records with the same content are equal in every field.
              (micros === undefined ? unpricedOf : recordOf)(id, {
                content: content * 64 + (Math.abs(at) % 61),
                at: START + at,
                ...(micros !== undefined && { micros }),
                ...(member !== undefined && { member }),
                ...(report !== undefined && { reportId: report, reportName: `Report ${report}` }),
                ...(team !== undefined && { team }),
                ...(model !== undefined && { model }),
                ...(feature !== undefined && { feature }),
                ...(outcome !== undefined && { outcome }),
              }),
            )
            const batch = batchOf(records, { onChange, organizationId: organization })
            assert.deepEqual(await append(ledger, batch), model.append(batch))
          }
          for (const organization of ['default', 'acme']) {
            assert.deepEqual(await linesOf(ledger, organization), model.lines(organization).map(lineOf))
            for (const group of GROUPS) {
              const half = START - 3 * DAY_MS + 40_000_000
              const ranges = [
                { from: CALENDAR_BEGINS, to: half },
                { from: half, to: -CALENDAR_BEGINS },
              ]
              const [days, parts] = await ledger.read(organization, async (view) => [
                await view.dayTotals({ ...ALL, group }),
                await view.rangeTotals({ ranges, group }),
              ])
              assert.deepEqual(
                days.map(({ dayStart, ...total }) => totalText(dayStart, total, group)).sort(),
                model.totals(organization, ({ at }) => dayOf(at).start, group),
              )
              assert.deepEqual(
                parts.map(({ range, ...total }) => totalText(range, total, group)).sort(),
                model.totals(organization, ({ at }) => (at < half ? 0 : 1), group),
              )
            }
          }
        }),
        { numRuns: 25 },
      )
    })
  })
}
