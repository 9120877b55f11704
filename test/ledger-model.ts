/** The ledger as simple as possible, with no regard for speed: maps in memory, and totals computed on demand. */
import type { AppendBatch, AppendOutcome } from '../src/ledger/ledger.ts'
import { pricedAt } from '../src/ledger/priced-batch.ts'
import { type Dimension, isSameCell } from '../src/model/cell.ts'
import type { Id } from '../src/model/report.ts'
import type { Priced } from '../src/model/usage-record.ts'

type Kept = { readonly record: Priced; readonly revision: number; supersededBy?: number }

export class LedgerModel {
  readonly #organizations = new Map<string, Map<Id, Kept[]>>()

  append({ organizationId, priced, onChange }: AppendBatch): readonly AppendOutcome[] {
    const messages = this.#messagesOf(organizationId)
    const records = Array.from({ length: priced.count }, (_, row) => pricedAt(priced, row))
    return records.map((record): AppendOutcome => {
      const charges = messages.get(record.messageId) ?? []
      messages.set(record.messageId, charges)
      const current = charges.at(-1)
      if (current === undefined) {
        charges.push({ record, revision: 0 })
        return { status: 'accepted', credits: record.credits }
      }
      const isSameContent = Buffer.from(current.record.digest).equals(record.digest)
      if (isSameContent && (onChange === 'refuse' || isSameCharge(current.record, record))) {
        return { status: 'duplicate', credits: current.record.credits }
      }
      if (onChange === 'refuse') return { status: 'conflict', credits: current.record.credits }
      current.supersededBy = current.revision + 1
      charges.push({ record, revision: current.revision + 1 })
      return { status: 'amended', credits: record.credits }
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
    const sums = new Map<string, { messages: number; credits: bigint }>()
    for (const record of this.lines(organizationId)) {
      const report = group.includes('report') ? (record.cell.reportId ?? null) : null
      const member = group.includes('member') ? (record.cell.member ?? null) : null
      const key = JSON.stringify([keyOf(record), report, member])
      const sum = sums.get(key) ?? { messages: 0, credits: 0n }
      sums.set(key, { messages: sum.messages + 1, credits: sum.credits + BigInt(record.credits) })
    }
    return [...sums].map(([key, { messages, credits }]) => `${key} ${messages} ${credits}`).sort()
  }

  #messagesOf(organizationId: string): Map<Id, Kept[]> {
    const messages = this.#organizations.get(organizationId) ?? new Map<Id, Kept[]>()
    this.#organizations.set(organizationId, messages)
    return messages
  }
}

const isSameCharge = (one: Priced, other: Priced): boolean =>
  one.credits === other.credits && one.timestamp === other.timestamp && isSameCell(one.cell, other.cell)

/** Integers come before texts; texts are ordered by their bytes. */
export const compareIds = (one: Id, other: Id): number => {
  if (typeof one === 'number' && typeof other === 'number') return one - other
  if (typeof one !== typeof other) return typeof one === 'number' ? -1 : 1
  return Buffer.compare(Buffer.from(String(one)), Buffer.from(String(other)))
}
