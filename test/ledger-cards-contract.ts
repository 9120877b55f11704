/** What every store must do about rate cards. A part of `ledger-contract.ts`. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { CardUse } from '../src/ledger/commands.ts'
import type { Ledger } from '../src/ledger/ledger.ts'
import { CALENDAR_BEGINS } from '../src/model/organization.ts'
import { LedgerModel } from './ledger-model.ts'
import type { OpenedLedger } from './opened-ledger.ts'
import { batchOf, DAY_MS, recordOf, START, unpricedOf } from './priced.ts'

const useCard = (ledger: Ledger, use: CardUse, organizationId = 'default') =>
  ledger.decide(organizationId, { kind: 'use-rate-card', ...use })

const versionOf = async (ledger: Ledger, organizationId = 'default'): Promise<number> =>
  (await ledger.rateCards.inForce(organizationId)).version

type DrawnUse = { readonly version: string; readonly from: number | undefined; readonly isForUnpriced: boolean }

const createAcme = (ledger: Ledger) =>
  ledger.decide('acme', {
    kind: 'create-organization',
    organization: {
      id: 'acme',
      name: 'Acme',
      createdAt: START,
      calendar: [{ effectiveFrom: CALENDAR_BEGINS, timeZone: 'UTC', anchorDay: 1 }],
    },
  })

export const cardsContract = (open: () => Promise<OpenedLedger>): void => {
  test('a rate card is stored once and never changes, however large it is', async () => {
    await using opened = await open()
    const { rateCards } = opened.ledger
    const other = (await opened.another()).rateCards
    const large = { version: 'b', hash: 'b1', body: JSON.stringify('é"\\'.repeat(700_000)), createdAt: START }
    const small = { version: 'a', hash: 'a1', body: '{}', createdAt: START + 1 }
    assert.equal(await rateCards.put(large), 'created')
    assert.equal(await other.put(small), 'created')
    assert.equal(await rateCards.put({ ...small, createdAt: START + 2 }), 'same')
    assert.equal(await rateCards.put({ ...small, hash: 'a2', body: '{"a":1}' }), 'conflict')
    assert.deepEqual(await rateCards.find('a'), small)
    assert.deepEqual(await other.find('b'), large)
    assert.equal(await rateCards.find('c'), undefined)
    assert.deepEqual(
      await rateCards.list(),
      [small, large].map(({ body, ...card }) => card),
    )
  })

  test('an organization uses cards from instants on, which no closed period loses, and without any those of the installation', async () => {
    await using opened = await open()
    const { ledger } = opened
    const other = await opened.another()
    await createAcme(ledger)
    const [first, second] = [
      { from: START, version: 'a' },
      { from: START + DAY_MS, version: 'b' },
    ]
    assert.deepEqual(await useCard(ledger, second), { inForce: [second] })
    assert.deepEqual(await useCard(other, first), { inForce: [first, second] })
    assert.equal(await useCard(ledger, first, 'nobody'), undefined)
    assert.deepEqual(await ledger.rateCards.useByDefault(first), { inForce: [first] })
    assert.deepEqual(await other.rateCards.inForce('acme'), {
      own: [],
      byDefault: [first],
      version: await versionOf(ledger, 'acme'),
    })
    await ledger.decide('default', { kind: 'close', until: START + DAY_MS })
    const early = { from: START + DAY_MS - 1, version: 'c' }
    assert.deepEqual(await useCard(other, early), { closedUntil: START + DAY_MS })
    assert.deepEqual(await other.rateCards.useByDefault(early), { closedUntil: START + DAY_MS })
    const third = { from: START + DAY_MS, version: 'c' }
    assert.deepEqual(await useCard(other, { version: 'c' }), { inForce: [first, third] })
    assert.deepEqual(await useCard(ledger, early, 'acme'), { inForce: [early] })
    const { version, ...cards } = await other.rateCards.inForce('default')
    assert.deepEqual(cards, { own: [first, third], byDefault: [first] })
  })

  test('a card for unpriced messages only is used in what is closed, up to its end at that time, beside the others', async () => {
    await using opened = await open()
    const { ledger } = opened
    const other = await opened.another()
    await createAcme(ledger)
    const first = { from: START, version: 'a' }
    await useCard(ledger, first)
    const use = { from: START, version: 'b', for: 'unpriced' } as const
    assert.deepEqual(await useCard(ledger, use), { closedUntil: CALENDAR_BEGINS })
    const [may, june] = [START + 31 * DAY_MS, START + 61 * DAY_MS]
    await ledger.decide('default', { kind: 'close', until: may })
    const before = await versionOf(ledger)
    assert.deepEqual(await useCard(other, { ...use, from: may }), { closedUntil: may })
    assert.equal(await versionOf(ledger), before)
    const used = { from: START, version: 'b', until: may }
    assert.deepEqual(await useCard(other, use), { inForce: [first, used] })
    const after = await versionOf(ledger)
    assert.notEqual(after, before)
    assert.deepEqual(await useCard(ledger, use), { inForce: [first, used] })
    assert.equal(await versionOf(other), after, 'the same again changes nothing')
    assert.equal(await other.append({ ...batchOf([recordOf(1, { at: may })]), cardsVersion: before }), 'other-cards')
    assert.equal(await ledger.append({ ...batchOf([recordOf(1, { at: may })]), cardsVersion: after }), undefined)

    await ledger.decide('default', { kind: 'close', until: june })
    const longer = { from: START, version: 'b', until: june }
    assert.deepEqual(await useCard(ledger, use), { inForce: [first, longer] }, 'up to what is closed now')
    const early = { from: START - DAY_MS, version: 'c', until: june }
    assert.deepEqual(await other.rateCards.useByDefault({ ...use, from: june }), { closedUntil: june })
    assert.deepEqual(await other.rateCards.useByDefault({ version: 'c', from: early.from, for: 'unpriced' }), {
      inForce: [early],
    })
    assert.deepEqual(await ledger.rateCards.useByDefault({ version: 'd', from: june }), {
      inForce: [early, { from: june, version: 'd' }],
    })
    const { version, ...cards } = await other.rateCards.inForce('default')
    assert.deepEqual(cards, { own: [first, longer], byDefault: [early, { from: june, version: 'd' }] })
  })

  test('a batch that other cards have priced is refused as a whole, and the batches beside it are not', async () => {
    await using opened = await open()
    const { ledger } = opened
    const other = await opened.another()
    const kept = recordOf('kept')
    const old = await versionOf(ledger)
    assert.equal(await other.append({ ...batchOf([kept]), cardsVersion: old }), undefined)
    await useCard(ledger, { version: 'a' })
    const present = await versionOf(ledger)
    for (const each of [ledger, other]) {
      const name = each === ledger ? 'first' : 'second'
      const answers = await Promise.all([
        each.append({ ...batchOf([recordOf(`${name} refused`)]), cardsVersion: old }),
        each.append({ ...batchOf([recordOf(`${name} accepted`)]), cardsVersion: present }),
        each.append({ ...batchOf([recordOf(`${name} refused`), kept]), cardsVersion: old }),
        each.append(batchOf([recordOf(`${name} of any card`)])),
        each.append({ ...batchOf([kept]), cardsVersion: old }),
        each.append({ ...batchOf([{ ...kept, cell: { rateCard: 'a' } }], { onChange: 'amend' }), cardsVersion: old }),
        each.append({ ...batchOf([kept], { onChange: 'amend' }), cardsVersion: old }),
      ])
      assert.deepEqual(answers, [
        'other-cards',
        undefined,
        'other-cards',
        undefined,
        'other-cards',
        'other-cards',
        'other-cards',
      ])
    }
    const lines = await ledger.read('default', (view) => view.page({ from: 0, to: START + DAY_MS, limit: 100 }))
    assert.deepEqual(
      lines.map(({ messageId, cell }) => [messageId, cell.rateCard]),
      ['first accepted', 'first of any card', 'kept', 'second accepted', 'second of any card'].map((id) => [
        id,
        'standard-2024',
      ]),
    )
    assert.deepEqual(await other.append({ ...batchOf([kept]), cardsVersion: present }), [
      { status: 'duplicate', credits: kept.credits },
    ])
    // A ledger that has just had duplicates looks for more of them first.
    await useCard(ledger, { version: 'b' })
    assert.equal(await other.append({ ...batchOf([kept]), cardsVersion: present }), 'other-cards')
  })

  for (const whose of ['the organization', 'the installation']) {
    test(`no append that begins after the cards of ${whose} have changed is accepted by the old ones`, async () => {
      await using opened = await open()
      const ledgers = [opened.ledger, await opened.another()]
      const [ledger] = ledgers as [Ledger]
      let id = 0
      let accepted = 0
      for (let round = 0; round < 8; round++) {
        const old = await versionOf(ledger)
        let isChanged = false
        const appendUntilRefused = async (each: Ledger): Promise<void> => {
          for (;;) {
            const isLate = isChanged
            const answer = await each.append({ ...batchOf([recordOf(id++), recordOf(id++)]), cardsVersion: old })
            if (answer === 'other-cards') return
            assert.ok(!isLate, 'accepted by the old cards')
            accepted++
          }
        }
        const appends = ledgers.flatMap((each) => [1, 2, 3, 4].map(() => appendUntilRefused(each)))
        assert.equal(
          await ledger.append({ ...batchOf([recordOf(id++), recordOf(id++)]), cardsVersion: old }),
          undefined,
        )
        accepted++
        const use = { from: START, version: `card ${round}` }
        await (whose === 'the organization' ? useCard(ledger, use) : ledger.rateCards.useByDefault(use))
        isChanged = true
        const late = ledgers.map((each) => each.append({ ...batchOf([recordOf(id++)]), cardsVersion: old }))
        assert.deepEqual(await Promise.all(late), ['other-cards', 'other-cards'])
        await Promise.all(appends)
      }
      const [total] = await ledger.read('default', (view) => view.dayTotals({ from: 0, to: START + 1, group: [] }))
      assert.equal(total?.messages, 2 * accepted)
    })
  }

  test('cards that several processes put in force at once are all in force', async () => {
    await using opened = await open()
    const ledgers = [opened.ledger, await opened.another()]
    const uses = Array.from({ length: 12 }, (_, index) => ({ from: START + index, version: `card ${index}` }))
    await Promise.all(
      uses.flatMap((use, index) => {
        const ledger = ledgers[index % 2] as Ledger
        return [useCard(ledger, use), ledger.rateCards.useByDefault(use)]
      }),
    )
    const { version, ...cards } = await opened.ledger.rateCards.inForce('default')
    assert.deepEqual(cards, { own: uses, byDefault: uses })
  })

  test('it agrees with a simple model about any sequence of cards, closings and appends', async () => {
    const use = fc.record({
      version: fc.constantFrom('a', 'b', 'c'),
      from: fc.option(fc.integer({ min: -3, max: 3 }), { nil: undefined }),
      isForUnpriced: fc.boolean(),
    })
    const step = fc.oneof(
      fc.record({ what: fc.constant('use' as const), organizationId: fc.constantFrom('default', 'acme'), use }),
      fc.record({ what: fc.constant('default' as const), use }),
      fc.record({ what: fc.constant('close' as const), until: fc.integer({ min: -3, max: 2 }) }),
    )
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 10 }), async (steps) => {
        await using opened = await open()
        const { ledger } = opened
        const model = new LedgerModel()
        await createAcme(ledger)
        const instantOf = (day: number): number => START + day * DAY_MS
        const toUse = ({ version, from, isForUnpriced }: DrawnUse): CardUse => {
          if (from === undefined) return { version }
          return { version, from: instantOf(from), ...(isForUnpriced && { for: 'unpriced' }) }
        }
        const versions = new Map<string, number>()
        for (const [index, each] of steps.entries()) {
          if (each.what === 'use') {
            const { organizationId, use } = each
            const outcome = await useCard(ledger, toUse(use), organizationId)
            assert.deepEqual(outcome, model.useCard(organizationId, toUse(use)))
          } else if (each.what === 'default') {
            assert.deepEqual(await ledger.rateCards.useByDefault(toUse(each.use)), model.useByDefault(toUse(each.use)))
          } else {
            await ledger.decide('acme', { kind: 'close', until: instantOf(each.until) })
            model.close('acme', instantOf(each.until))
          }
          for (const organizationId of ['default', 'acme']) {
            const { version, ...cards } = await ledger.rateCards.inForce(organizationId)
            const { version: changes, ...wanted } = model.cardsInForce(organizationId)
            assert.deepEqual(cards, wanted)
            for (const [change, known] of versions) {
              const isPresent = change === `${organizationId} ${changes}`
              if (!change.startsWith(organizationId)) continue
              assert.equal(version === known, isPresent, 'the version changes with the cards, and only then')
              const batch = batchOf([recordOf(index, { at: instantOf(5) })], { organizationId })
              assert.equal((await ledger.append({ ...batch, cardsVersion: known })) === 'other-cards', !isPresent)
            }
            versions.set(`${organizationId} ${changes}`, version)
          }
        }
      }),
      { numRuns: 20 },
    )
  })

  test('an adjustment does not count as priced by another card, because its message is from a closed period', async () => {
    await using opened = await open()
    const { ledger } = opened
    const may = START + 31 * DAY_MS
    await ledger.append(batchOf([recordOf('amended', { rateCard: 'a' })]))
    await ledger.decide('default', { kind: 'close', until: may })
    const amended = recordOf('amended', { rateCard: 'c', content: 2 })
    const late = [1, 2, 3].map((id) => recordOf(id, { rateCard: 'a' }))
    const present = [may, may + 1, may + DAY_MS].map((at) => recordOf(at, { at, rateCard: 'b' }))
    const { credits: _, ...unpriced } = recordOf('unpriced', { rateCard: 'a' })
    await ledger.append(batchOf([...late, unpriced, ...present, amended], { onChange: 'amend' }))
    const countOf = (since: number, rateCard: string) =>
      ledger.read('default', (view) => view.pricedOtherwise({ since, rateCard }))
    for (const [since, rateCard, count] of [
      [may, 'b', 0],
      [may, 'a', 3],
      [may + 1, 'a', 2],
      [START, 'b', 1],
      [START + 1, 'a', 3],
    ] as const) {
      assert.equal(await countOf(since, rateCard), count, `${since} ${rateCard}`)
    }
  })

  test('messages charged by another card are counted from any instant on, in the middle of a day too', async () => {
    await using opened = await open()
    const { ledger } = opened
    const model = new LedgerModel()
    const cards = ['a', 'b', 'c']
    const records = Array.from({ length: 12_000 }, (_, index) =>
      (index % 7 === 0 ? unpricedOf : recordOf)(index, {
        // Half of them on two days, the others over many.
        at: START + (index % 2 === 0 ? (index * 29_000) % (2 * DAY_MS) : (index * 7_777_777) % (60 * DAY_MS)),
        rateCard: cards[index % 3] as string,
        member: `m${index % 700}`,
      }),
    )
    const changed = records
      .slice(0, 50)
      .map((record) => ({ ...record, digest: new Uint8Array(16).fill(9), cell: { ...record.cell, rateCard: 'c' } }))
    for (const batch of [batchOf(records), batchOf(changed, { onChange: 'amend' })]) {
      await ledger.append(batch)
      model.append(batch)
    }
    const instants = [CALENDAR_BEGINS, -1, 0, 1, 40_000_000, DAY_MS, DAY_MS + 29_000, 7 * DAY_MS + 1, 90 * DAY_MS]
    for (const instant of instants) {
      for (const rateCard of [...cards, 'none']) {
        const query = { since: instant === CALENDAR_BEGINS ? instant : START + instant, rateCard }
        const count = await ledger.read('default', (view) => view.pricedOtherwise(query))
        assert.equal(count, model.pricedOtherwise('default', query), JSON.stringify(query))
      }
    }
  })
}
