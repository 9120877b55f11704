/** Writes records and updates their totals. Runs inside the caller's transaction. */
import type { DatabaseSync } from 'node:sqlite'
import type { AppendOutcome } from '#ledger/ledger.ts'
import { type Credits, credits } from '#model/credits.ts'
import type { RecordColumns } from './record-columns.ts'

type Current = {
  readonly at_ms: number
  readonly revision: number
  readonly report_id: string | null
  readonly member: string | null
  readonly credits_micros: number
  readonly digest: Uint8Array
  readonly timestamp: string | null
  readonly report_name: string | null
  readonly rate_card_id: number
}

/** What a batch adds to the total of a day, or of a report and member on that day. */
type Addition = { messages: number; credits: number }

export class RecordWriter {
  readonly #insert
  readonly #current
  readonly #supersede
  readonly #dayOf
  readonly #addToDay
  readonly #addToGroup
  readonly #rateCardOf
  readonly #addRateCard
  readonly #rateCards = new Map<string, number>()

  constructor(database: DatabaseSync) {
    this.#insert = database.prepare(`
      INSERT INTO usage_record (organization_id, at_ms, message_id, revision, timestamp, member, report_id, report_name,
        credits_micros, rate_card_id, measurement, digest, recorded_at)
      VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
      ON CONFLICT DO NOTHING`)
    this.#current = database.prepare(`
      SELECT at_ms, revision, report_id, member, credits_micros, digest, timestamp, report_name, rate_card_id
      FROM usage_record WHERE organization_id = ? AND message_id = ?
      ORDER BY revision DESC LIMIT 1`)
    this.#supersede = database.prepare(`
      UPDATE usage_record SET superseded_by = ?
      WHERE organization_id = ? AND message_id = ? AND revision = ? AND superseded_by IS NULL`)
    this.#dayOf = database.prepare(`
      SELECT max(day_start) AS day_start FROM daily_total WHERE organization_id = ? AND day_start <= ?`)
    this.#addToDay = database.prepare(`
      INSERT INTO daily_total (organization_id, day_start, messages, credits_micros, version) VALUES (?, ?, ?, ?, 1)
      ON CONFLICT DO UPDATE SET messages = messages + excluded.messages,
        credits_micros = credits_micros + excluded.credits_micros, version = version + 1`)
    this.#addToGroup = database.prepare(`
      INSERT INTO daily_group_total (organization_id, day_start, report_id, member, report_name, messages, credits_micros)
      VALUES (?, ?, ?, ?, ?, ?, ?)
      ON CONFLICT DO UPDATE SET messages = messages + excluded.messages,
        credits_micros = credits_micros + excluded.credits_micros,
        report_name = coalesce(excluded.report_name, report_name)`)
    this.#rateCardOf = database.prepare('SELECT rate_card_id FROM rate_card WHERE version = ?')
    this.#addRateCard = database.prepare(`
      INSERT INTO rate_card (rate_card_id, version)
      SELECT coalesce(max(rate_card_id), 0) + 1, ? FROM rate_card RETURNING rate_card_id`)
  }

  append(batch: RecordColumns): AppendOutcome[] {
    const totals = new Additions()
    const outcomes: AppendOutcome[] = []
    for (let row = 0; row < batch.count; row++) outcomes.push(this.#appendOne(batch, row, totals))
    this.#addTotals(batch.organizationId, totals)
    return outcomes
  }

  #appendOne(batch: RecordColumns, row: number, totals: Additions): AppendOutcome {
    if (this.#insertRow(batch, row, 0)) {
      this.#count(batch, row, totals)
      return { status: 'accepted', credits: creditsAt(batch, row) }
    }
    const messageId = idAt(batch, row)
    const current = this.#current.get(batch.organizationId, messageId) as unknown as Current
    const isSameContent = Buffer.compare(current.digest, digestAt(batch, row)) === 0
    if (isSameContent && (batch.onChange === 'refuse' || this.#isSameCharge(batch, row, current))) {
      return { status: 'duplicate', credits: credits(current.credits_micros) }
    }
    if (batch.onChange === 'refuse') return { status: 'conflict', credits: credits(current.credits_micros) }
    this.#amend(batch, row, current, totals)
    return { status: 'amended', credits: creditsAt(batch, row) }
  }

  /** Whether a record with the same content would also have the same charge and everything else that is shown of it. */
  #isSameCharge(batch: RecordColumns, row: number, current: Current): boolean {
    return (
      current.credits_micros === batch.credits[row] &&
      current.report_name === (batch.reportNames[row] ?? null) &&
      current.timestamp === (batch.timestamps[row] ?? null) &&
      current.rate_card_id === this.#rateCardId(batch.rateCards[row] as string)
    )
  }

  #amend(batch: RecordColumns, row: number, current: Current, totals: Additions): void {
    const { organizationId } = batch
    const revision = current.revision + 1
    this.#insertRow(batch, row, revision)
    this.#supersede.run(revision, organizationId, idAt(batch, row), current.revision)
    // Written first, because the old record may be from this batch, and its day is looked up in the totals.
    this.#addTotals(organizationId, totals)
    // The latest day that starts at or before the record is its own: days have no gaps, and the record's day has a total.
    const day = this.#dayOf.get(organizationId, current.at_ms)?.['day_start'] as number
    const { report_id: reportId, member, credits_micros: micros } = current
    this.#addToDay.run(organizationId, day, -1, -micros)
    this.#addToGroup.run(organizationId, day, reportId ?? '', member ?? '', null, -1, -micros)
    this.#count(batch, row, totals)
  }

  #count(batch: RecordColumns, row: number, totals: Additions): void {
    if (!totals.fits(batch.credits[row] as number)) this.#addTotals(batch.organizationId, totals)
    totals.add(batch, row)
  }

  #insertRow(batch: RecordColumns, row: number, revision: number): boolean {
    const { changes } = this.#insert.run(
      batch.organizationId,
      batch.at[row] as number,
      idAt(batch, row),
      revision,
      batch.timestamps[row] ?? null,
      batch.members[row] ?? null,
      batch.reportIds[row] ?? null,
      batch.reportNames[row] ?? null,
      batch.credits[row] as number,
      this.#rateCardId(batch.rateCards[row] as string),
      measurementAt(batch, row),
      digestAt(batch, row),
      batch.recordedAt,
    )
    return changes === 1
  }

  #addTotals(organizationId: string, totals: Additions): void {
    for (const [day, { messages, credits }] of totals.days) this.#addToDay.run(organizationId, day, messages, credits)
    for (const { day, reportId, member, reportName, messages, credits } of totals.groups.values()) {
      this.#addToGroup.run(organizationId, day, reportId, member, reportName, messages, credits)
    }
    totals.clear()
  }

  #rateCardId(version: string): number {
    const known = this.#rateCards.get(version)
    if (known !== undefined) return known
    const found = this.#rateCardOf.get(version) ?? this.#addRateCard.get(version)
    const id = found?.['rate_card_id'] as number
    this.#rateCards.set(version, id)
    return id
  }

  /** Call after a rollback: rate cards that the transaction inserted no longer exist. */
  rolledBack(): void {
    this.#rateCards.clear()
  }
}

/** Integers are bound as bigint: in a column of type ANY, node:sqlite would store a number as a floating-point value. */
const idAt = ({ messageIds }: RecordColumns, row: number): bigint | string => {
  const id = messageIds[row] as number | string
  return typeof id === 'number' ? BigInt(id) : id
}

const creditsAt = (batch: RecordColumns, row: number): Credits => credits(batch.credits[row] as number)

const digestAt = ({ digests, digestBytes }: RecordColumns, row: number): Uint8Array =>
  digests.subarray(row * digestBytes, (row + 1) * digestBytes)

const measurementAt = ({ measurements, measurementEnds }: RecordColumns, row: number): Uint8Array =>
  measurements.subarray(row === 0 ? 0 : measurementEnds[row - 1], measurementEnds[row])

type GroupAddition = Addition & {
  readonly day: number
  readonly reportId: string
  readonly member: string
  reportName: string | null
}

/** Adds up a batch, so that each total is written once. */
class Additions {
  readonly days = new Map<number, Addition>()
  readonly groups = new Map<string, GroupAddition>()
  #credits = 0

  /** Whether all sums remain exact if this amount is added. */
  fits(credits: number): boolean {
    return Number.isSafeInteger(this.#credits + credits)
  }

  add(batch: RecordColumns, row: number): void {
    const day = batch.dayStarts[row] as number
    const credits = batch.credits[row] as number
    const reportId = batch.reportIds[row] ?? ''
    const member = batch.members[row] ?? ''
    this.#credits += credits
    this.#addTo(this.days, day, () => ({ messages: 0, credits: 0 }), credits)
    const key = `${day} ${reportId}\u0000${member}`
    const start = (): GroupAddition => ({ day, reportId, member, reportName: null, messages: 0, credits: 0 })
    const group = this.#addTo(this.groups, key, start, credits)
    group.reportName = batch.reportNames[row] ?? group.reportName
  }

  clear(): void {
    this.days.clear()
    this.groups.clear()
    this.#credits = 0
  }

  #addTo<K, T extends Addition>(sums: Map<K, T>, key: K, start: () => T, credits: number): T {
    let sum = sums.get(key)
    if (sum === undefined) {
      sum = start()
      sums.set(key, sum)
    }
    sum.messages++
    sum.credits += credits
    return sum
  }
}
