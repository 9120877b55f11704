/**
 * Appends of one organization that come while others are written go together: one statement and one sync for all of them.
 * When many rows wait, some statements are under way at once: only at their ends do they wait for each other, for the totals
 * of the day. With few rows a second statement costs more than it brings.
 */

import type { AppendBatch, AppendOutcome } from '#metering/ledger.ts'
import { StoreError } from '#model/errors.ts'
import { isAboutData } from './connection.ts'
import type { AppendGroup, RecordWriter } from './record-writer.ts'

type Waiting = {
  readonly batch: AppendBatch
  /** Until when it is answered, whatever happens. Those that wait in a line came in this order. */
  readonly endsAt: number
  readonly resolve: (outcomes: readonly AppendOutcome[]) => void
  readonly reject: (error: unknown) => void
}

const ROWS_TOGETHER = 1000

/** `rowsForAnother`: with fewer rows that wait, one statement after the other carries all of them. */
export type QueueLimits = { readonly statementsAtOnce: number; readonly rowsForAnother: number }

const LIMITS: QueueLimits = { statementsAtOnce: 4, rowsForAnother: 500 }

type Line = { readonly waiting: Waiting[]; rowsWaiting: number; running: number }

export class AppendQueue {
  readonly #writer: RecordWriter
  readonly #deadline: () => number
  readonly #limits: QueueLimits
  readonly #lines = new Map<string, Line>()
  readonly #running = new Set<Promise<void>>()

  /** `deadline` is when an append that begins now has to be over, as `performance.now` counts. */
  constructor(writer: RecordWriter, deadline: () => number, limits = LIMITS) {
    this.#writer = writer
    this.#deadline = deadline
    this.#limits = limits
  }

  append(batch: AppendBatch): Promise<readonly AppendOutcome[]> {
    return new Promise((resolve, reject) => {
      const line = this.#lines.get(batch.organizationId) ?? { waiting: [], rowsWaiting: 0, running: 0 }
      this.#lines.set(batch.organizationId, line)
      line.waiting.push({ batch, endsAt: this.#deadline(), resolve, reject })
      line.rowsWaiting += batch.records.length
      const { statementsAtOnce, rowsForAnother } = this.#limits
      if (line.running >= (line.rowsWaiting < rowsForAnother ? 1 : statementsAtOnce)) return
      const running = this.#run(batch.organizationId, line).finally(() => this.#running.delete(running))
      this.#running.add(running)
    })
  }

  /** Resolves once nothing is waiting. */
  async settled(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running)
  }

  async #run(organizationId: string, line: Line): Promise<void> {
    line.running++
    // What comes in the same turn goes with the first.
    await Promise.resolve()
    for (;;) {
      const together = takeTogether(line)
      if (together.length === 0) break
      await this.#write(together)
    }
    line.running--
    if (line.running === 0) this.#lines.delete(organizationId)
  }

  async #write(waiting: readonly Waiting[]): Promise<void> {
    const now = performance.now()
    const together = waiting.filter(({ endsAt }) => endsAt > now)
    for (const { endsAt, reject } of waiting) if (endsAt <= now) reject(new StoreError(LATE))
    const [first] = together
    if (first === undefined) return
    try {
      const outcomes = await this.#writer.append(groupOf(together), first.endsAt)
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
const takeTogether = (line: Line): readonly Waiting[] => {
  const { waiting } = line
  const onChange = waiting[0]?.batch.onChange
  let rows = 0
  let count = 0
  for (const { batch } of waiting) {
    if (batch.onChange !== onChange || (count > 0 && rows + batch.records.length > ROWS_TOGETHER)) break
    rows += batch.records.length
    count++
    if (onChange === 'amend') break
  }
  line.rowsWaiting -= rows
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
