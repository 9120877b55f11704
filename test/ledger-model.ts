/** The ledger as simple as possible, with no regard for speed: maps in memory, and totals computed on demand. */
import type { CardUse, UsedCards } from '../src/ledger/commands.ts'
import type { AppendBatch, AppendOutcome, PricedOtherwise } from '../src/ledger/ledger.ts'
import { pricedAt } from '../src/ledger/priced-batch.ts'
import type { CardAssignment, CardsInForce } from '../src/model/cards-in-force.ts'
import { type Dimension, type Grouped, isSameCell } from '../src/model/cell.ts'
import { CALENDAR_BEGINS, type EpochMs } from '../src/model/organization.ts'
import type { Id } from '../src/model/report.ts'
import type { Priced } from '../src/model/usage-record.ts'

type Kept = { readonly record: Priced; readonly revision: number; supersededBy?: number }

export class LedgerModel {
  readonly #organizations = new Map<string, Map<Id, Kept[]>>()
  readonly #closed = new Map<string, EpochMs>()
  /** By organization; '' is the installation. */
  readonly #cards = new Map<string, Cards>()

  append({ organizationId, priced, onChange, revisions }: AppendBatch): readonly AppendOutcome[] {
    const messages = this.#messagesOf(organizationId)
    const records = Array.from({ length: priced.count }, (_, row) => pricedAt(priced, row))
    return records.map((record, row): AppendOutcome => {
      const charges = messages.get(record.messageId) ?? []
      messages.set(record.messageId, charges)
      const current = charges.at(-1)
      if (current === undefined) {
        charges.push({ record, revision: 0 })
        return { status: 'accepted', ...costOf(record) }
      }
      const isSameContent = Buffer.from(current.record.digest).equals(record.digest)
      const isAmended = {
        refuse: false,
        amend: !(isSameContent && isSameCharge(current.record, record)),
        price: isSameContent && current.record.timestamp === record.timestamp && mayPrice(current.record, record),
        recharge:
          isSameContent &&
          current.record.timestamp === record.timestamp &&
          current.revision === revisions?.[row] &&
          !isSameCharge(current.record, record),
      }[onChange]
      if (!isAmended) {
        if (isSameContent) return { status: 'duplicate', ...costOf(current.record) }
        return { status: 'conflict', ...costOf(current.record), ...otherOutcome(current.record, record) }
      }
      current.supersededBy = current.revision + 1
      charges.push({ record, revision: current.revision + 1 })
      return { status: 'amended', ...costOf(record) }
    })
  }

  /** The current lines, ordered by time, then id. */
  lines(organizationId: string): readonly Priced[] {
    const current = [...this.#messagesOf(organizationId).values()].flatMap((charges) => charges.at(-1)?.record ?? [])
    return current.sort((one, other) => one.at - other.at || compareIds(one.messageId, other.messageId))
  }

  charges(organizationId: string, messageId: Id): readonly Kept[] {
    return (this.#messagesOf(organizationId).get(messageId) ?? []).toReversed()
  }

  /** Messages and credits by `keyOf` of each record and by the fields in `group`. */
  totals(organizationId: string, keyOf: (record: Priced) => number, group: readonly Dimension[]): readonly string[] {
    return sumsByKey(this.lines(organizationId), (record) => totalKey(keyOf(record), group, record.cell))
  }

  pricedOtherwise(organizationId: string, { since, rateCard }: PricedOtherwise): number {
    return this.lines(organizationId).filter(
      ({ at, cell, credits }) => at >= since && cell.rateCard !== rateCard && credits !== undefined,
    ).length
  }

  close(organizationId: string, until: EpochMs): void {
    this.#closed.set(organizationId, Math.max(until, this.#closed.get(organizationId) ?? CALENDAR_BEGINS))
  }

  useCard(organizationId: string, use: CardUse): UsedCards {
    return this.#use(organizationId, use, this.#closed.get(organizationId) ?? CALENDAR_BEGINS)
  }

  useByDefault(use: CardUse): UsedCards {
    return this.#use('', use, Math.max(CALENDAR_BEGINS, ...this.#closed.values()))
  }

  /** `version` is the number of changes. */
  cardsInForce(organizationId: string): CardsInForce {
    const [own, byDefault] = [this.#cardsOf(organizationId), this.#cardsOf('')]
    return { own: inOrder(own), byDefault: inOrder(byDefault), version: own.changes + byDefault.changes }
  }

  #use(whose: string, { version, from: start, for: messages }: CardUse, closedUntil: EpochMs): UsedCards {
    const from = start ?? closedUntil
    if (messages === undefined ? from < closedUntil : from >= closedUntil) return { closedUntil }
    const cards = this.#cardsOf(whose)
    const used = { from, version, ...(messages !== undefined && { until: closedUntil }) }
    const key = `${from} ${messages ?? ''}`
    if (JSON.stringify(cards.byKey.get(key)) !== JSON.stringify(used)) cards.changes++
    cards.byKey.set(key, used)
    return { inForce: inOrder(cards) }
  }

  #cardsOf(whose: string): Cards {
    const cards = this.#cards.get(whose) ?? { byKey: new Map(), changes: 0 }
    this.#cards.set(whose, cards)
    return cards
  }

  #messagesOf(organizationId: string): Map<Id, Kept[]> {
    const messages = this.#organizations.get(organizationId) ?? new Map<Id, Kept[]>()
    this.#organizations.set(organizationId, messages)
    return messages
  }
}

type Cards = { readonly byKey: Map<string, CardAssignment>; changes: number }

const inOrder = ({ byKey }: Cards): readonly CardAssignment[] =>
  [...byKey.values()].sort((one, other) => one.from - other.from || (one.until === undefined ? -1 : 1))
const costOf = ({ credits }: Priced) => (credits === undefined ? {} : { credits })

/** For each key, in order: it, the messages, those without a price and the credits. */
export const sumsByKey = <R extends Pick<Priced, 'credits'>>(
  records: readonly R[],
  keyOf: (record: R) => string,
): readonly string[] => {
  const sums = new Map<string, { messages: number; unpriced: number; credits: bigint }>()
  for (const record of records) {
    const key = keyOf(record)
    const sum = sums.get(key) ?? { messages: 0, unpriced: 0, credits: 0n }
    sums.set(key, {
      messages: sum.messages + 1,
      unpriced: sum.unpriced + (record.credits === undefined ? 1 : 0),
      credits: sum.credits + BigInt(record.credits ?? 0),
    })
  }
  return [...sums].map(([key, { messages, unpriced, credits }]) => `${key} ${messages} ${unpriced} ${credits}`).sort()
}

/** The dimensions of a group as a text. */
export const totalKey = (key: number, group: readonly Dimension[], cell: Grouped): string => {
  const { reportId: report, member, team, model, feature, outcome, rateCard: rate_card } = cell
  const values = { report, member, team, model, feature, outcome, rate_card }
  return JSON.stringify([key, ...group.map((dimension) => values[dimension] ?? null)])
}

const isSameCharge = (one: Priced, other: Priced): boolean =>
  one.credits === other.credits && one.timestamp === other.timestamp && isSameCell(one.cell, other.cell)

const otherOutcome = ({ cell: { outcome: holds } }: Priced, { cell: { outcome } }: Priced) =>
  holds === outcome ? {} : { outcome: holds ?? ('succeeded' as const) }

const mayPrice = (one: Priced, other: Priced): boolean =>
  one.credits === undefined && (other.credits !== undefined || !isSameCell(one.cell, other.cell))

/** Integers come before texts; texts are ordered by their bytes. */
export const compareIds = (one: Id, other: Id): number => {
  if (typeof one === 'number' && typeof other === 'number') return one - other
  if (typeof one !== typeof other) return typeof one === 'number' ? -1 : 1
  return Buffer.compare(Buffer.from(String(one)), Buffer.from(String(other)))
}
