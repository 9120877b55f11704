/**
 * Appends of one organization that come while others are written go together: one statement and one sync for all of them.
 * Some statements are under way at once: only at their ends do they wait for each other, for the totals of the day.
 */
import type { AppendBatch, AppendOutcome } from '#metering/ledger.ts'
import type { AppendGroup, RecordWriter } from './record-writer.ts'

type Waiting = {
  readonly batch: AppendBatch
  readonly resolve: (outcomes: readonly AppendOutcome[]) => void
  readonly reject: (error: unknown) => void
}

const ROWS_TOGETHER = 1000
const STATEMENTS_AT_ONCE = 4

type Line = { readonly waiting: Waiting[]; running: number }

export class AppendQueue {
  readonly #writer: RecordWriter
  readonly #lines = new Map<string, Line>()
  readonly #running = new Set<Promise<void>>()

  constructor(writer: RecordWriter) {
    this.#writer = writer
  }

  append(batch: AppendBatch): Promise<readonly AppendOutcome[]> {
    return new Promise((resolve, reject) => {
      const line = this.#lines.get(batch.organizationId) ?? { waiting: [], running: 0 }
      this.#lines.set(batch.organizationId, line)
      line.waiting.push({ batch, resolve, reject })
      if (line.running >= STATEMENTS_AT_ONCE) return
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
      const together = takeTogether(line.waiting)
      if (together.length === 0) break
      await this.#write(together)
    }
    line.running--
    if (line.running === 0) this.#lines.delete(organizationId)
  }

  async #write(together: readonly Waiting[]): Promise<void> {
    try {
      const outcomes = await this.#writer.append(groupOf(together))
      let from = 0
      for (const { batch, resolve } of together) {
        resolve(outcomes.slice(from, from + batch.records.length))
        from += batch.records.length
      }
    } catch (error) {
      // One of them may be to blame: each by itself then, which is safe as none of them has been written.
      const [only] = together
      if (together.length === 1) only?.reject(error)
      else for (const each of together) await this.#write([each])
    }
  }
}

/** From the front, those that can go in one statement. */
const takeTogether = (waiting: Waiting[]): readonly Waiting[] => {
  const onChange = waiting[0]?.batch.onChange
  let rows = 0
  let count = 0
  for (const { batch } of waiting) {
    rows += batch.records.length
    if (batch.onChange !== onChange || (count > 0 && rows > ROWS_TOGETHER)) break
    count++
    if (onChange === 'amend') break
  }
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
