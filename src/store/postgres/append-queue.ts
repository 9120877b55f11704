/**
 * Appends of one organization that come while others are written go together: one statement and one sync for all of them.
 * When many rows wait, some statements are under way at once: only at their ends do they wait for each other, for the totals
 * of the day. With few rows a second statement costs more than it brings.
 */

import type { AppendBatch, AppendOutcome } from '#metering/ledger.ts'
import { type MonotonicMs, monotonicNow } from '#model/clock.ts'
import { StoreError } from '#model/errors.ts'
import { isAboutData } from './connection.ts'
import type { AppendGroup, RecordWriter } from './record-writer.ts'

type Waiting = {
  readonly batch: AppendBatch
  /** Until when it is answered, whatever happens. Those that wait in a lane came in this order. */
  readonly deadline: MonotonicMs
  readonly resolve: (outcomes: readonly AppendOutcome[]) => void
  readonly reject: (error: unknown) => void
}

const ROWS_TOGETHER = 1000
const STATEMENTS_AT_ONCE = 4
/** With fewer rows that wait, one statement after the other carries all of them. */
const ROWS_FOR_ANOTHER = 500

type Lane = { readonly waiting: Waiting[]; rowsWaiting: number; running: number }

export class AppendQueue {
  readonly #writer: RecordWriter
  readonly #deadline: () => MonotonicMs
  readonly #lanes = new Map<string, Lane>()
  readonly #running = new Set<Promise<void>>()

  /** `deadline` is when an append that begins now has to be over. */
  constructor(writer: RecordWriter, deadline: () => MonotonicMs) {
    this.#writer = writer
    this.#deadline = deadline
  }

  append(batch: AppendBatch): Promise<readonly AppendOutcome[]> {
    return new Promise((resolve, reject) => {
      const lane = this.#lanes.get(batch.organizationId) ?? { waiting: [], rowsWaiting: 0, running: 0 }
      this.#lanes.set(batch.organizationId, lane)
      lane.waiting.push({ batch, deadline: this.#deadline(), resolve, reject })
      lane.rowsWaiting += batch.records.length
      if (lane.running >= (lane.rowsWaiting < ROWS_FOR_ANOTHER ? 1 : STATEMENTS_AT_ONCE)) return
      const running = this.#run(batch.organizationId, lane).finally(() => this.#running.delete(running))
      this.#running.add(running)
    })
  }

  /** Resolves once nothing is waiting. */
  async settled(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running)
  }

  async #run(organizationId: string, lane: Lane): Promise<void> {
    lane.running++
    // What comes in the same turn goes with the first.
    await Promise.resolve()
    for (;;) {
      const together = takeTogether(lane)
      if (together.length === 0) break
      await this.#write(together)
    }
    lane.running--
    if (lane.running === 0) this.#lanes.delete(organizationId)
  }

  async #write(waiting: readonly Waiting[]): Promise<void> {
    const now = monotonicNow()
    const together = waiting.filter(({ deadline }) => deadline > now)
    for (const { deadline, reject } of waiting) if (deadline <= now) reject(new StoreError(LATE))
    const [first] = together
    if (first === undefined) return
    try {
      const outcomes = await this.#writer.append(groupOf(together), first.deadline)
      let from = 0
      for (const { batch, resolve } of together) {
        resolve(outcomes.slice(from, from + batch.records.length))
        from += batch.records.length
      }
    } catch (error) {
      // If one of them may be to blame: each by itself then, which is safe as none of them has been written.
      if (together.length > 1 && isAboutData(error)) for (const each of together) await this.#write([each])
      else for (const { reject } of together) reject(error)
    }
  }
}

const LATE = 'PostgreSQL: it waited behind others for too long'

/** From the front, those that can go in one statement. */
const takeTogether = (lane: Lane): readonly Waiting[] => {
  const { waiting } = lane
  const onChange = waiting[0]?.batch.onChange
  let rows = 0
  let count = 0
  for (const { batch } of waiting) {
    if (batch.onChange !== onChange || (count > 0 && rows + batch.records.length > ROWS_TOGETHER)) break
    rows += batch.records.length
    count++
    if (onChange === 'amend') break
  }
  lane.rowsWaiting -= rows
  return waiting.splice(0, count)
}

const groupOf = (together: readonly Waiting[]): AppendGroup => {
  const [first] = together
  if (first === undefined) throw new Error('nothing to append')
  const { organizationId, onChange } = first.batch
  return {
    organizationId,
    onChange,
    rows: together.flatMap(({ batch }) => batch.records.map((record) => ({ record, recordedAt: batch.recordedAt }))),
  }
}
