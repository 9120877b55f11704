/** The pool, and what is done about failures: repeat what is safe to repeat, name the rest. */
import { setTimeout as wait } from 'node:timers/promises'
import pg from 'pg'
import { StoreError } from '#model/errors.ts'

export type ConnectionSettings = {
  readonly url: string
  readonly poolSize: number
  /** How long a failed operation is tried again. */
  readonly retryForMs?: number
}

export class Connection {
  readonly #pool: pg.Pool
  readonly #retryForMs: number
  #closing: Promise<void> | undefined

  constructor({ url, poolSize, retryForMs = RETRY_FOR_MS }: ConnectionSettings) {
    this.#retryForMs = retryForMs
    this.#pool = new pg.Pool({
      connectionString: url,
      max: poolSize,
      connectionTimeoutMillis: 5000,
      idleTimeoutMillis: 30_000,
      statement_timeout: 30_000,
      idle_in_transaction_session_timeout: 60_000,
      keepAlive: true,
      application_name: 'copilot-credits',
    })
    // A connection that dies while nobody uses it is replaced when one is needed.
    this.#pool.on('error', () => {})
  }

  /** Runs an operation that may be repeated: again after a failure that may pass, for a limited time. Throws StoreError. */
  async repeatable<T>(operation: (client: pg.PoolClient) => Promise<T>): Promise<T> {
    const endsAt = performance.now() + this.#retryForMs
    for (let pause = FIRST_PAUSE_MS; ; pause = Math.min(pause * 2, LONGEST_PAUSE_MS)) {
      try {
        return await this.#with(operation)
      } catch (error) {
        if (!mayPass(error) || performance.now() + pause > endsAt) throw toStoreError(error)
        await wait(pause * (0.5 + Math.random() / 2))
      }
    }
  }

  /** Runs it once. Throws StoreError. */
  async once<T>(operation: (client: pg.PoolClient) => Promise<T>): Promise<T> {
    try {
      return await this.#with(operation)
    } catch (error) {
      throw toStoreError(error)
    }
  }

  /** In a transaction; `begin` says of which kind. */
  static async transaction<T>(client: pg.PoolClient, operation: () => Promise<T>, begin = 'BEGIN'): Promise<T> {
    await client.query(begin)
    try {
      const result = await operation()
      await client.query('COMMIT')
      return result
    } catch (error) {
      // Where the connection is gone, so is the transaction.
      await client.query('ROLLBACK').catch(() => {})
      throw error
    }
  }

  close(): Promise<void> {
    this.#closing ??= this.#pool.end()
    return this.#closing
  }

  async #with<T>(operation: (client: pg.PoolClient) => Promise<T>): Promise<T> {
    const client = await this.#pool.connect()
    let failure: Error | undefined
    // Without a listener the loss of a connection in use would end the process; the query in flight hears of it as well.
    const lost = (error: Error): void => {
      failure = error
    }
    client.on('error', lost)
    try {
      return await operation(client)
    } catch (error) {
      if (isLost(error)) failure ??= error as Error
      throw error
    } finally {
      client.off('error', lost)
      client.release(failure)
    }
  }
}

const RETRY_FOR_MS = 10_000
const FIRST_PAUSE_MS = 20
const LONGEST_PAUSE_MS = 1000

const codeOf = (error: unknown): string => String((error as { readonly code?: unknown } | null)?.code ?? '')
const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

/** The connection is of no more use. Class 57P: the server is shutting down, has crashed, or is starting. */
const isLost = (error: unknown): boolean =>
  /^(08...|57P0[123]|ECONN\w+|EPIPE|ENOTFOUND|ETIMEDOUT)$/.test(codeOf(error)) ||
  /Connection terminated|timeout exceeded when trying to connect|Client has encountered a connection error/.test(
    messageOf(error),
  )

/**
 * 40001 and 40P01: another transaction was in the way. 53300: too many connections at the moment. The texts are Citus' when
 * one of its nodes is away.
 */
const mayPass = (error: unknown): boolean =>
  isLost(error) ||
  /^(40001|40P01|53300|55P03)$/.test(codeOf(error)) ||
  (codeOf(error) === 'XX000' && /connection|could not commit transaction for shard/i.test(messageOf(error))) ||
  (codeOf(error) === '58030' && /COPY to shard/i.test(messageOf(error)))

const toStoreError = (error: unknown): unknown =>
  error instanceof pg.DatabaseError || isLost(error) || codeOf(error) !== ''
    ? new StoreError(`PostgreSQL: ${messageOf(error)}`, { cause: error })
    : error
