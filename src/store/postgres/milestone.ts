/**
 * Something that happens once in an installation and stays true, such as the first key. It is kept in `installation`, which every
 * node of a Citus cluster has, so that asking needs no other node. Looking for a row of any organization would need all of them.
 */
import type { PoolClient } from 'pg'

export class Milestone {
  readonly #name: string
  #isKnown = false

  constructor(name: string) {
    this.#name = name
  }

  /** Whether this process knows that it has been reached. */
  get isKnown(): boolean {
    return this.#isKnown
  }

  async isReached(client: PoolClient): Promise<boolean> {
    if (this.#isKnown) return true
    const { rowCount } = await client.query('SELECT 1 FROM installation WHERE name = $1', [this.#name])
    this.#isKnown = rowCount === 1
    return this.#isKnown
  }

  /** In a transaction, it is reached once that is committed. */
  async reach(client: PoolClient): Promise<void> {
    if (await this.isReached(client)) return
    await client.query("INSERT INTO installation (name, value) VALUES ($1, 'true') ON CONFLICT (name) DO NOTHING", [
      this.#name,
    ])
  }
}

export const usageMilestone = (): Milestone => new Milestone('has_usage')
export const keyMilestone = (): Milestone => new Milestone('has_key')
