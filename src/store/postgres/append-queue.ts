/**
 * Batches the appends of each organization. While append A is being written, B, C and D arrive: when A is done, one statement
 * with one sync writes all three, if they have no more than 1,000 rows and were priced by the same rate cards. An append that may
 * amend or price is written alone.
 *
 * If 500 or more rows are waiting, up to four statements run at once. They wait for each other only at the end, when each
 * locks the totals of the day. With fewer rows, a second statement costs more than it gains.
 */

import type { AppendAnswer, AppendBatch } from '#ledger/ledger.ts'
import { type MonotonicMs, monotonicNow } from '#model/clock.ts'
import { StoreError } from '#model/errors.ts'
import { isAboutData } from './connection.ts'
import type { RecordWriter } from './record-writer.ts'
import type { AppendGroup } from './settling.ts'

type Waiting = {
  readonly batch: AppendBatch
  /** The deadline for its outcome. Appends in a lane are ordered by it. */
  readonly deadline: MonotonicMs
  readonly resolve: (answer: AppendAnswer) => void
  readonly reject: (error: unknown) => void
}

const ROWS_TOGETHER = 1000

/** `rowsForAnother`: with fewer rows waiting, only one statement runs at a time. */
export type QueueLimits = { readonly statementsAtOnce: number; readonly rowsForAnother: number }

const LIMITS: QueueLimits = { statementsAtOnce: 4, rowsForAnother: 500 }

type Lane = { readonly waiting: Waiting[]; rowsWaiting: number; running: number }

export class AppendQueue {
  readonly #writer: RecordWriter
  readonly #deadline: () => MonotonicMs
  readonly #limits: QueueLimits
  readonly #lanes = new Map<string, Lane>()
  readonly #running = new Set<Promise<void>>()

  /** `deadline` returns the deadline of an append that starts now. */
  constructor(writer: RecordWriter, deadline: () => MonotonicMs, limits = LIMITS) {
    this.#writer = writer
    this.#deadline = deadline
    this.#limits = limits
  }

  append(batch: AppendBatch): Promise<AppendAnswer> {
    return new Promise((resolve, reject) => {
      const lane = this.#lanes.get(batch.organizationId) ?? { waiting: [], rowsWaiting: 0, running: 0 }
      this.#lanes.set(batch.organizationId, lane)
      lane.waiting.push({ batch, deadline: this.#deadline(), resolve, reject })
      lane.rowsWaiting += batch.priced.count
      const { statementsAtOnce, rowsForAnother } = this.#limits
      if (lane.running >= (lane.rowsWaiting < rowsForAnother ? 1 : statementsAtOnce)) return
      const running = this.#run(batch.organizationId, lane).finally(() => this.#running.delete(running))
      this.#running.add(running)
    })
  }

  /** Resolves once the queue is empty and nothing is in flight. */
  async settled(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running)
  }

  async #run(organizationId: string, lane: Lane): Promise<void> {
    lane.running++
    // Appends made in the same tick of the event loop join the first one.
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
      for (const [index, { resolve }] of together.entries())
        resolve(outcomes === 'other-cards' ? outcomes : outcomes[index])
    } catch (error) {
      // One of them may have caused the failure, so each is retried alone. That is safe: none of them has been written.
      if (together.length > 1 && isAboutData(error)) for (const each of together) await this.#write([each])
      else for (const { reject } of together) reject(error)
    }
  }
}

const LATE = 'PostgreSQL: timed out in the queue of writes'

/** Takes the appends at the front of the lane that fit into one statement. */
const takeTogether = (lane: Lane): readonly Waiting[] => {
  const { waiting } = lane
  const { onChange, cardsVersion } = waiting[0]?.batch ?? {}
  let rows = 0
  let count = 0
  for (const { batch } of waiting) {
    if (batch.onChange !== onChange || batch.cardsVersion !== cardsVersion) break
    if (count > 0 && rows + batch.priced.count > ROWS_TOGETHER) break
    rows += batch.priced.count
    count++
    if (onChange !== 'refuse') break
  }
  lane.rowsWaiting -= rows
  return waiting.splice(0, count)
}

const groupOf = (together: readonly Waiting[]): AppendGroup => {
  const [first] = together
  if (first === undefined) throw new Error('nothing to append')
  const { organizationId, onChange, cardsVersion } = first.batch
  return {
    organizationId,
    onChange,
    ...(cardsVersion !== undefined && { cardsVersion }),
    batches: together.map(({ batch }) => batch),
  }
}
