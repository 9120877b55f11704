/**
 * Commands of an organization that arrive while others of it are being decided wait, and are then decided together: in one
 * transaction, with one lock and one commit, in the order of their arrival. So a busy organization uses one connection, and
 * leaves the others of the pool to other organizations.
 */
import type { PoolClient } from 'pg'
import type { Command, CommandKind, Outcome } from '#ledger/commands.ts'
import { type MonotonicMs, monotonicNow } from '#model/clock.ts'
import { StoreError } from '#model/errors.ts'
import { type Connection, isTransient, toStoreError } from './connection.ts'
import { ADD_ACCOUNT } from './record-writer.ts'

/** PostgreSQL keeps 64 savepoints of a transaction in shared memory. With more, every other session becomes slower. */
const TOGETHER_MAX = 64

/** Decides a command in a transaction that holds the lock of the organization. */
type Decide = <K extends CommandKind>(
  client: PoolClient,
  organizationId: string,
  command: Command<K>,
) => Promise<Outcome<K>>

/** Tells a caller what came of its command. Called once the transaction is committed. */
type Answer = () => void

type Waiting = {
  /** The deadline for its outcome. */
  readonly deadline: MonotonicMs
  readonly decide: (client: PoolClient) => Promise<Answer>
  readonly reject: (error: unknown) => void
}

export class CommandQueue {
  readonly #connection: Connection
  readonly #decide: Decide
  /** The waiting commands of each organization that has one running. */
  readonly #lanes = new Map<string, Waiting[]>()
  readonly #running = new Set<Promise<void>>()

  constructor(connection: Connection, decide: Decide) {
    this.#connection = connection
    this.#decide = decide
  }

  decide<K extends CommandKind>(organizationId: string, command: Command<K>): Promise<Outcome<K>> {
    return new Promise((resolve, reject) => {
      const decide = async (client: PoolClient): Promise<Answer> => {
        const outcome = await this.#decide(client, organizationId, command)
        return () => resolve(outcome)
      }
      const waiting = { deadline: this.#connection.deadline(), decide, reject }
      const lane = this.#lanes.get(organizationId)
      if (lane !== undefined) lane.push(waiting)
      else {
        const running = this.#run(organizationId, [waiting]).finally(() => this.#running.delete(running))
        this.#running.add(running)
      }
    })
  }

  /** Resolves once the queue is empty and nothing is in flight. */
  async settled(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running)
  }

  async #run(organizationId: string, lane: Waiting[]): Promise<void> {
    this.#lanes.set(organizationId, lane)
    while (lane.length > 0) await this.#decideTogether(organizationId, lane.splice(0, TOGETHER_MAX))
    this.#lanes.delete(organizationId)
  }

  async #decideTogether(organizationId: string, waiting: readonly Waiting[]): Promise<void> {
    const now = monotonicNow()
    const together = waiting.filter(({ deadline }) => deadline > now)
    for (const { deadline, reject } of waiting) if (deadline <= now) reject(new StoreError(LATE))
    const [first] = together
    if (first === undefined) return
    try {
      const answers = await this.#connection.repeatable(
        (client) => this.#connection.transaction(client, () => inOrder(client, organizationId, together)),
        first.deadline,
      )
      for (const answer of answers) answer()
    } catch (error) {
      for (const { reject } of together) reject(error)
    }
  }
}

const LATE = 'PostgreSQL: timed out in the queue of commands'

const inOrder = async (
  client: PoolClient,
  organizationId: string,
  together: readonly Waiting[],
): Promise<readonly Answer[]> => {
  // Commands of other processes wait here. There is no row yet if a command creates the organization.
  const locked = await client.query('SELECT 1 FROM account WHERE organization_id = $1 FOR UPDATE', [organizationId])
  if (locked.rowCount === 0) await client.query(ADD_ACCOUNT, [organizationId])
  const answers: Answer[] = []
  for (const waiting of together) {
    answers.push(await (together.length === 1 ? waiting.decide(client) : decideApart(client, waiting)))
  }
  return answers
}

/** Undoes what the command wrote if it fails, so that the others do not fail with it. */
const decideApart = async (client: PoolClient, { decide, reject }: Waiting): Promise<Answer> => {
  await client.query('SAVEPOINT command')
  try {
    const answer = await decide(client)
    await client.query('RELEASE SAVEPOINT command')
    return answer
  } catch (error) {
    // All are decided again.
    if (isTransient(error)) throw error
    await client.query('ROLLBACK TO SAVEPOINT command')
    await client.query('RELEASE SAVEPOINT command')
    return () => reject(toStoreError(error))
  }
}
