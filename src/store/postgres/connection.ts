/** The connection pool and its failure handling: retries what is safe to retry, explains other failures, and enforces deadlines. */
import { connect } from 'node:net'
import { setTimeout as wait } from 'node:timers/promises'
import pg from 'pg'
import { elapsedMs, laterBy, type MonotonicMs, monotonicNow, NEVER } from '#model/clock.ts'
import { StoreError } from '#model/errors.ts'

export type ConnectionSettings = {
  readonly url: string
  readonly poolSize: number
  /** How long an operation may take, including all retries. */
  readonly retryForMs?: number
}

type Operation<T> = (client: pg.PoolClient, stopTimer: () => void) => Promise<T>

type TransactionOptions = { readonly begin?: string; readonly statementMs?: number }

export class Connection {
  readonly #pool: pg.Pool
  readonly #retryForMs: number
  /** Whether a connection has a server session of its own, or a pooler in between that shares sessions. */
  readonly #isDirect = new WeakMap<pg.PoolClient, boolean>()
  #closing: Promise<void> | undefined

  constructor({ url, poolSize, retryForMs = RETRY_FOR_MS }: ConnectionSettings) {
    this.#retryForMs = retryForMs
    // No timeouts here: PgBouncer rejects them as startup parameters. `#prepare` sets them instead.
    this.#pool = new pg.Pool({
      connectionString: url,
      max: poolSize,
      connectionTimeoutMillis: CONNECT_MS,
      idleTimeoutMillis: 30_000,
      keepAlive: true,
      application_name: 'copilot-credits',
    })
    // An idle connection that dies is replaced when the next one is needed.
    this.#pool.on('error', () => {})
  }

  /** The deadline of an operation that starts now. */
  deadline(): MonotonicMs {
    return laterBy(monotonicNow(), this.#retryForMs)
  }

  /** Runs an operation that is safe to repeat, and retries it after transient failures until `deadline`. Throws StoreError. */
  repeatable<T>(operation: (client: pg.PoolClient) => Promise<T>, deadline = this.deadline()): Promise<T> {
    return this.#repeat(operation, deadline, deadline)
  }

  /** As `repeatable`, but without a time limit once the operation has started. */
  unhurried<T>(operation: (client: pg.PoolClient) => Promise<T>): Promise<T> {
    return this.#repeat(operation, this.deadline(), NEVER)
  }

  /** Runs an operation once, without retries. Throws StoreError. */
  once<T>(operation: (client: pg.PoolClient) => Promise<T>): Promise<T> {
    return this.#repeat(operation, undefined, this.deadline())
  }

  /**
   * Runs reads that all see the same moment. Once it has started, only each statement has a time limit, because the reader may
   * take its time between statements. Aborting `signal` cancels the running statement. Throws StoreError, or the reason of
   * `signal`.
   */
  read<T>(operation: (client: pg.PoolClient) => Promise<T>, signal?: AbortSignal): Promise<T> {
    const begin = 'BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY'
    const reading: Operation<T> = (client, stopTimer) =>
      this.transaction(
        client,
        () => {
          stopTimer()
          return operation(client)
        },
        { begin, statementMs: READ_STATEMENT_MS },
      )
    return this.#repeat(reading, undefined, this.deadline(), signal)
  }

  /** Uses the session's timeouts if it can. Behind a pooler, or with another `statementMs`, the transaction sets its own. */
  async transaction<T>(
    client: pg.PoolClient,
    operation: () => Promise<T>,
    { begin = 'BEGIN ISOLATION LEVEL READ COMMITTED', statementMs = STATEMENT_MS }: TransactionOptions = {},
  ): Promise<T> {
    const isLimited = this.isDirect(client) && statementMs === STATEMENT_MS
    await client.query(quick(isLimited ? begin : `${begin}; ${limits(statementMs)}`))
    try {
      const result = await operation()
      await client.query(quick('COMMIT'))
      return result
    } catch (error) {
      // If the connection is gone, so is the transaction.
      if (!isLost(error)) await client.query(quick('ROLLBACK')).catch(() => {})
      throw error
    }
  }

  /** Runs statements that do not need a transaction. Behind a pooler it still uses one, to set the timeouts. */
  autocommit<T>(client: pg.PoolClient, operation: () => Promise<T>): Promise<T> {
    return this.isDirect(client) ? operation() : this.transaction(client, operation)
  }

  /** Whether the next statement will find what this one has prepared or set in the session. */
  isDirect(client: pg.PoolClient): boolean {
    return this.#isDirect.get(client) === true
  }

  close(): Promise<void> {
    this.#closing ??= this.#pool.end()
    return this.#closing
  }

  async #repeat<T>(
    operation: Operation<T>,
    retryUntil: MonotonicMs | undefined,
    deadline: MonotonicMs,
    signal?: AbortSignal,
  ): Promise<T> {
    for (let pause = FIRST_PAUSE_MS; ; pause = Math.min(pause * 2, LONGEST_PAUSE_MS)) {
      try {
        return await this.#with(operation, deadline, signal)
      } catch (error) {
        if (signal?.aborted) throw signal.reason
        if (retryUntil === undefined || !isTransient(error) || laterBy(monotonicNow(), pause) > retryUntil)
          throw toStoreError(error)
        await wait(pause * (0.5 + Math.random() / 2))
      }
    }
  }

  async #with<T>(operation: Operation<T>, deadline: MonotonicMs, signal?: AbortSignal): Promise<T> {
    signal?.throwIfAborted()
    const client = await this.#connect(deadline)
    if (signal?.aborted) {
      client.release()
      throw signal.reason
    }
    let failure: Error | undefined
    // The cancel request may arrive during a later statement, so the connection must not be used again.
    const aborted = (): void => {
      failure ??= new Error('the caller no longer waits for the result')
      cancelStatementOf(client)
    }
    signal?.addEventListener('abort', aborted, { once: true })
    // Without a listener, losing a connection in use would end the process. The query in flight is rejected anyway.
    const lost = (error: Error): void => {
      failure ??= error
    }
    client.on('error', lost)
    // A server that hangs does not enforce its own timeouts. Ending the connection rejects the query in flight.
    const timer = timerAt(deadline, () => {
      failure = new TimedOut()
      client.end().catch(() => {})
    })
    try {
      if (!this.#isDirect.has(client)) await this.#prepare(client)
      return await operation(client, () => clearTimeout(timer))
    } catch (error) {
      if (isLost(error)) failure ??= error as Error
      throw failure instanceof TimedOut ? failure : error
    } finally {
      clearTimeout(timer)
      signal?.removeEventListener('abort', aborted)
      client.off('error', lost)
      client.release(failure)
    }
  }

  async #connect(deadline: MonotonicMs): Promise<pg.PoolClient> {
    const connecting = this.#pool.connect()
    if (elapsedMs(monotonicNow(), deadline) > CONNECT_MS) return connecting
    return new Promise((resolve, reject) => {
      let isLate = false
      const timer = timerAt(deadline, () => {
        isLate = true
        reject(new TimedOut())
      })
      connecting.then((client) => {
        clearTimeout(timer)
        if (isLate) client.release()
        else resolve(client)
      }, reject)
    })
  }

  /**
   * Finds out whether the connection is direct: whether the process id that was sent at connection start is the id of the process
   * that answers. A pooler sends an id of its own and may give each transaction another session, so anything set for the session
   * would affect other clients.
   */
  async #prepare(client: pg.PoolClient): Promise<void> {
    const processId = 'processID' in client ? client.processID : undefined
    const { rows } = await client.query(
      quick(
        `SELECT pg_backend_pid() = $1 AS is_direct, current_setting('server_encoding') AS server_encoding,
           current_setting('client_encoding') AS client_encoding,
           CASE WHEN pg_backend_pid() = $1 THEN set_config('statement_timeout', $2, false) END,
           CASE WHEN pg_backend_pid() = $1 THEN set_config('idle_in_transaction_session_timeout', $3, false) END`,
        [processId ?? 0, String(STATEMENT_MS), String(IDLE_IN_TRANSACTION_MS)],
      ),
    )
    const { is_direct: isDirect, server_encoding: encoding, client_encoding: clientEncoding } = rows[0]
    if (encoding !== 'UTF8') {
      throw new StoreError(
        `the encoding of the PostgreSQL database is ${encoding}, but must be UTF8: create a database with ` +
          `CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0 and set DATABASE_URL to it`,
      )
    }
    if (clientEncoding !== 'UTF8') {
      throw new StoreError(
        `the connection's client_encoding is ${clientEncoding}, but must be UTF8: remove the setting from the connection pooler`,
      )
    }
    this.#isDirect.set(client, isDirect as boolean)
  }
}

const RETRY_FOR_MS = 10_000
const FIRST_PAUSE_MS = 20
const LONGEST_PAUSE_MS = 1000
const CONNECT_MS = 5000
/** Timeouts on the server: without them, it would keep running statements that nobody waits for. */
const STATEMENT_MS = 10_000
const READ_STATEMENT_MS = 30_000
const IDLE_IN_TRANSACTION_MS = 60_000
/** For statements that a healthy server answers at once. */
const QUICK_MS = 5000

export const limits = (statementMs: number): string =>
  `SET LOCAL statement_timeout = ${statementMs}; SET LOCAL idle_in_transaction_session_timeout = ${IDLE_IN_TRANSACTION_MS}`

/** The driver supports `query_timeout` per query, but its types omit it. */
type LimitedQuery = pg.QueryConfig & { readonly query_timeout: number }

const limited = (text: string, values: unknown[], ms: number): LimitedQuery => ({ text, values, query_timeout: ms })
const quick = (text: string, values: unknown[] = []): LimitedQuery => limited(text, values, QUICK_MS)

/** A statement for `read`. Its timeout is slightly longer than the server's, because the server's error says more. */
export const readStatement = (text: string, values: unknown[]): LimitedQuery =>
  limited(text, values, READ_STATEMENT_MS + QUICK_MS)

/**
 * Sends a cancel request: the protocol needs a separate connection and the secret key from the server or the pooler. Closing the
 * connection would not be enough, because a server that is computing does not notice.
 */
const cancelStatementOf = (client: pg.PoolClient): void => {
  const { host, port } = client
  if (!('processID' in client && 'secretKey' in client)) return
  const request = Buffer.alloc(16)
  for (const [index, number] of [16, CANCEL_REQUEST, Number(client.processID), Number(client.secretKey)].entries()) {
    request.writeInt32BE(number, index * 4)
  }
  const socket = connect(host.startsWith('/') ? { path: `${host}/.s.PGSQL.${port}` } : { host, port })
  // If canceling fails, the statement timeout still ends the statement.
  socket.on('error', () => {})
  socket.setTimeout(QUICK_MS, () => socket.destroy())
  socket.resume()
  // The server must close this connection: PgBouncer 1.18 hangs for all clients if the client closes it first.
  socket.write(request)
}

const CANCEL_REQUEST = 80877102

class TimedOut extends Error {
  override readonly name = 'TimedOut'
  constructor() {
    super('the database did not respond in time')
  }
}

/** Committed data is not visible yet, but will be in a moment. Worth a retry. */
export class NotYetVisible extends Error {
  override readonly name = 'NotYetVisible'
}

const timerAt = (deadline: MonotonicMs, run: () => void): NodeJS.Timeout | undefined =>
  deadline < NEVER ? setTimeout(run, Math.max(elapsedMs(monotonicNow(), deadline), 0)) : undefined

export const UNIQUE_VIOLATION = '23505'

/** The SQLSTATE of an error, or the code of a system error. */
export const codeOf = (error: unknown): string => String((error as { readonly code?: unknown } | null)?.code ?? '')
const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

/** Whether the connection can no longer be used. Class 57P: the server is shutting down, has crashed, or is starting. */
const isLost = (error: unknown): boolean =>
  error instanceof TimedOut ||
  /^(08...|57P0[1-5]|25P0[34]|ECONN\w+|EPIPE|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH|ETIMEDOUT)$/.test(
    codeOf(error),
  ) ||
  /Connection terminated|timeout exceeded when trying to connect|Query read timeout|is not queryable/.test(
    messageOf(error),
  )

/** If the error shows that the pooler is misconfigured for this service, what is wrong and how to fix it. */
const refusalOf = (error: unknown): string | undefined => {
  const message = messageOf(error)
  if (/statement pooling mode/.test(message)) {
    return 'PgBouncer uses statement pooling, which does not support transactions: set pool_mode to transaction or session'
  }
  const parameter = /unsupported startup parameter: (\S+)/.exec(message)?.[1]
  if (parameter === undefined) return undefined
  return `PgBouncer rejects the startup parameter ${parameter}: remove it from DATABASE_URL, or add it to PgBouncer's ignore_startup_parameters`
}

/**
 * Whether a retry can help. 40001 and 40P01: a conflict with another transaction. 55P03: a lock timeout. 53300: too many
 * connections. The messages are those of Citus when one of its nodes is unavailable.
 */
export const isTransient = (error: unknown): boolean =>
  refusalOf(error) === undefined &&
  (isLost(error) ||
    error instanceof NotYetVisible ||
    /^(40001|40P01|53300|55P03)$/.test(codeOf(error)) ||
    (codeOf(error) === 'XX000' && /connection|could not commit transaction for shard/i.test(messageOf(error))) ||
    (codeOf(error) === '58030' && /COPY to shard/i.test(messageOf(error))))

export const toStoreError = (error: unknown): unknown => {
  if (error instanceof StoreError) return error
  const refusal = refusalOf(error)
  if (refusal !== undefined) return new StoreError(refusal, { cause: error })
  return error instanceof pg.DatabaseError || error instanceof NotYetVisible || isLost(error) || codeOf(error) !== ''
    ? new StoreError(`PostgreSQL: ${messageOf(error)}`, { cause: error })
    : error
}

/**
 * Whether the failure was caused by the given values, so that other records of the same batch can still succeed. Classes 21 to 23
 * are invalid values, class 54 values that are too large. An error that did not come from the store was thrown while preparing
 * the values.
 */
export const isAboutData = (error: unknown): boolean =>
  !(error instanceof StoreError) || /^(2[123]|54)...$/.test(codeOf(error.cause))
