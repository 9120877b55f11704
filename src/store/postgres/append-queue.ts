/**
 * Batches the appends of each organization. While append A is being written, B, C and D arrive: when A is done, one statement
 * with one sync writes all three, if they have no more than 1,000 rows. An append that may amend is written alone.
 *
 * If 500 or more rows are waiting, up to four statements run at once. They wait for each other only at the end, where each
 * locks the totals of the day. With fewer rows, a second statement costs more than it gains.
 */

import type { AppendBatch, AppendOutcome } from '#metering/ledger.ts'
import { StoreError } from '#model/errors.ts'
import { isAboutData } from './connection.ts'
import type { AppendGroup, RecordWriter } from './record-writer.ts'

type Waiting = {
  readonly batch: AppendBatch
  /** The deadline for its outcome. Appends in a queue are ordered by it. */
  readonly endsAt: number
  readonly resolve: (outcomes: readonly AppendOutcome[]) => void
  readonly reject: (error: unknown) => void
}

const ROWS_TOGETHER = 1000
const STATEMENTS_AT_ONCE = 4
/** With fewer rows waiting, only one statement runs at a time. */
const ROWS_FOR_ANOTHER = 500

type Line = { readonly waiting: Waiting[]; rowsWaiting: number; running: number }

export class AppendQueue {
  readonly #writer: RecordWriter
  readonly #deadline: () => number
  readonly #lines = new Map<string, Line>()
  readonly #running = new Set<Promise<void>>()

  /** `deadline` returns the deadline of an append that starts now, on the clock of `performance.now`. */
  constructor(writer: RecordWriter, deadline: () => number) {
    this.#writer = writer
    this.#deadline = deadline
  }

  append(batch: AppendBatch): Promise<readonly AppendOutcome[]> {
    return new Promise((resolve, reject) => {
      const line = this.#lines.get(batch.organizationId) ?? { waiting: [], rowsWaiting: 0, running: 0 }
      this.#lines.set(batch.organizationId, line)
      line.waiting.push({ batch, endsAt: this.#deadline(), resolve, reject })
      line.rowsWaiting += batch.records.length
      if (line.running >= (line.rowsWaiting < ROWS_FOR_ANOTHER ? 1 : STATEMENTS_AT_ONCE)) return
      const running = this.#run(batch.organizationId, line).finally(() => this.#running.delete(running))
      this.#running.add(running)
    })
  }

  /** Resolves once the queue is empty and nothing is in flight. */
  async settled(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running)
  }

  async #run(organizationId: string, line: Line): Promise<void> {
    line.running++
    // Appends made in the same tick of the event loop join the first one.
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
      // One of them may have caused the failure, so each is retried alone. That is safe: none of them has been written.
      if (together.length > 1 && isAboutData(error)) for (const each of together) await this.#write([each])
      else for (const { reject } of together) reject(error)
    }
  }
}

const LATE = 'PostgreSQL: timed out in the queue of writes'

/** Takes the appends at the front of the queue that fit into one statement. */
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
