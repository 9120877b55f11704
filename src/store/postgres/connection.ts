/** The pool, and what is done about failures: repeat what is safe to repeat, name the rest, let nothing take longer than it may. */
import { connect } from 'node:net'
import { setTimeout as wait } from 'node:timers/promises'
import pg from 'pg'
import { StoreError } from '#model/errors.ts'

export type ConnectionSettings = {
  readonly url: string
  readonly poolSize: number
  /** How long an operation may take, with all its repetitions. */
  readonly retryForMs?: number
}

type Operation<T> = (client: pg.PoolClient, takeYourTime: () => void) => Promise<T>

type TransactionOptions = { readonly begin?: string; readonly statementMs?: number }

export class Connection {
  readonly #pool: pg.Pool
  readonly #retryForMs: number
  /** Whether a connection has a session of its own, without a pooler in between that hands sessions on. */
  readonly #isDirect = new WeakMap<pg.PoolClient, boolean>()
  #closing: Promise<void> | undefined

  constructor({ url, poolSize, retryForMs = RETRY_FOR_MS }: ConnectionSettings) {
    this.#retryForMs = retryForMs
    // No limits of time here: PgBouncer refuses them at the start of a connection. `#prepare` sets them.
    this.#pool = new pg.Pool({
      connectionString: url,
      max: poolSize,
      connectionTimeoutMillis: CONNECT_MS,
      idleTimeoutMillis: 30_000,
      keepAlive: true,
      application_name: 'copilot-credits',
    })
    // A connection that dies while nobody uses it is replaced when one is needed.
    this.#pool.on('error', () => {})
  }

  /** When an operation that begins now has to be over. */
  deadline(): number {
    return performance.now() + this.#retryForMs
  }

  /** Runs an operation that may be repeated: again after a failure that may pass, until `endsAt`. Throws StoreError. */
  repeatable<T>(operation: (client: pg.PoolClient) => Promise<T>, endsAt = this.deadline()): Promise<T> {
    return this.#repeat(operation, endsAt, endsAt)
  }

  /** The same for what may take as long as it takes once it has begun. */
  unhurried<T>(operation: (client: pg.PoolClient) => Promise<T>): Promise<T> {
    return this.#repeat(operation, this.deadline(), Number.POSITIVE_INFINITY)
  }

  /** Runs it once. Throws StoreError. */
  once<T>(operation: (client: pg.PoolClient) => Promise<T>): Promise<T> {
    return this.#repeat(operation, 0, this.deadline())
  }

  /**
   * Reads of one moment. Once it has begun each statement has a limit of its own, since the reader may take its time between
   * them. Throws StoreError, or the reason of `signal`, which also ends the statement under way.
   */
  read<T>(operation: (client: pg.PoolClient) => Promise<T>, signal?: AbortSignal): Promise<T> {
    const begin = 'BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY'
    const reading: Operation<T> = (client, takeYourTime) =>
      this.transaction(
        client,
        () => {
          takeYourTime()
          return operation(client)
        },
        { begin, statementMs: READ_STATEMENT_MS },
      )
    return this.#repeat(reading, 0, this.deadline(), signal)
  }

  /** Limits that hold for the session hold for the transaction as well, unless there is no session to rely on. */
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

  /** What is complete after each of its statements: a transaction only if a limit of time needs one. */
  autocommit<T>(client: pg.PoolClient, operation: () => Promise<T>): Promise<T> {
    return this.isDirect(client) ? operation() : this.transaction(client, operation)
  }

  /** What is prepared or set here is there for the next statement. */
  isDirect(client: pg.PoolClient): boolean {
    return this.#isDirect.get(client) === true
  }

  close(): Promise<void> {
    this.#closing ??= this.#pool.end()
    return this.#closing
  }

  async #repeat<T>(operation: Operation<T>, retryUntil: number, endsAt: number, signal?: AbortSignal): Promise<T> {
    for (let pause = FIRST_PAUSE_MS; ; pause = Math.min(pause * 2, LONGEST_PAUSE_MS)) {
      try {
        return await this.#with(operation, endsAt, signal)
      } catch (error) {
        if (signal?.aborted) throw signal.reason
        if (!mayPass(error) || performance.now() + pause > retryUntil) throw toStoreError(error)
        await wait(pause * (0.5 + Math.random() / 2))
      }
    }
  }

  async #with<T>(operation: Operation<T>, endsAt: number, signal?: AbortSignal): Promise<T> {
    signal?.throwIfAborted()
    const client = await this.#connect(endsAt)
    if (signal?.aborted) {
      client.release()
      throw signal.reason
    }
    let failure: Error | undefined
    // The request to cancel may come when another statement runs: the connection is not used again.
    const left = (): void => {
      failure ??= new Error('the caller no longer waits for the result')
      cancelStatementOf(client)
    }
    signal?.addEventListener('abort', left, { once: true })
    // Without a listener the loss of a connection in use would end the process; the query in flight hears of it as well.
    const lost = (error: Error): void => {
      failure ??= error
    }
    client.on('error', lost)
    // A server that hangs does not watch its own limits. Ending the connection ends the query in flight.
    const timer = timerAt(endsAt, () => {
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
      signal?.removeEventListener('abort', left)
      client.off('error', lost)
      client.release(failure)
    }
  }

  async #connect(endsAt: number): Promise<pg.PoolClient> {
    const connecting = this.#pool.connect()
    if (endsAt - performance.now() > CONNECT_MS) return connecting
    return new Promise((resolve, reject) => {
      let isLate = false
      const timer = timerAt(endsAt, () => {
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
   * Finds out whether the process that the server named at the start is the one that answers. A pooler names a number of its
   * own, and may give each transaction another session: what is set for the session would reach other clients then.
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
/** The server's own limits: without them it would go on with what nobody waits for. */
const STATEMENT_MS = 10_000
const READ_STATEMENT_MS = 30_000
const IDLE_IN_TRANSACTION_MS = 60_000
/** For what a server that is well answers at once. */
const QUICK_MS = 5000

export const limits = (statementMs: number): string =>
  `SET LOCAL statement_timeout = ${statementMs}; SET LOCAL idle_in_transaction_session_timeout = ${IDLE_IN_TRANSACTION_MS}`

/** The driver takes a limit for one query; its types do not say so. */
type LimitedQuery = pg.QueryConfig & { readonly query_timeout: number }

const limited = (text: string, values: unknown[], ms: number): LimitedQuery => ({ text, values, query_timeout: ms })
const quick = (text: string, values: unknown[] = []): LimitedQuery => limited(text, values, QUICK_MS)

/** A statement that reads, for `read`: somewhat longer than the server's own limit, whose error says more. */
export const readStatement = (text: string, values: unknown[]): LimitedQuery =>
  limited(text, values, READ_STATEMENT_MS + QUICK_MS)

/**
 * As the protocol has it: over a connection of its own, with the key that the server, or a pooler, gave. To close the connection
 * would not do, as a server that computes does not notice.
 */
const cancelStatementOf = (client: pg.PoolClient): void => {
  const { host, port } = client
  if (!('processID' in client && 'secretKey' in client)) return
  const request = Buffer.alloc(16)
  for (const [index, number] of [16, CANCEL_REQUEST, Number(client.processID), Number(client.secretKey)].entries()) {
    request.writeInt32BE(number, index * 4)
  }
  const socket = connect(host.startsWith('/') ? { path: `${host}/.s.PGSQL.${port}` } : { host, port })
  // The limit of the statement is left.
  socket.on('error', () => {})
  socket.setTimeout(QUICK_MS, () => socket.destroy())
  socket.resume()
  // The server closes it. PgBouncer 1.18 no longer answers anyone if the client closes first.
  socket.write(request)
}

const CANCEL_REQUEST = 80877102

class TimedOut extends Error {
  override readonly name = 'TimedOut'
  constructor() {
    super('the database did not respond in time')
  }
}

/** What is there, or will be in a moment, cannot be seen yet. */
export class NotYetVisible extends Error {
  override readonly name = 'NotYetVisible'
}

const timerAt = (endsAt: number, run: () => void): NodeJS.Timeout | undefined =>
  Number.isFinite(endsAt) ? setTimeout(run, Math.max(endsAt - performance.now(), 0)) : undefined

const codeOf = (error: unknown): string => String((error as { readonly code?: unknown } | null)?.code ?? '')
const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

/** The connection is of no more use. Class 57P: the server is shutting down, has crashed, or is starting. */
const isLost = (error: unknown): boolean =>
  error instanceof TimedOut ||
  /^(08...|57P0[1-5]|25P0[34]|ECONN\w+|EPIPE|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH|ETIMEDOUT)$/.test(
    codeOf(error),
  ) ||
  /Connection terminated|timeout exceeded when trying to connect|Query read timeout|is not queryable/.test(
    messageOf(error),
  )

/** What a pooler says that is set up in a way in which this service cannot work, and what to do about it. */
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
 * 40001 and 40P01: another transaction was in the way. 53300: too many connections at the moment. The texts are Citus' when
 * one of its nodes is away.
 */
const mayPass = (error: unknown): boolean =>
  refusalOf(error) === undefined &&
  (isLost(error) ||
    error instanceof NotYetVisible ||
    /^(40001|40P01|53300|55P03)$/.test(codeOf(error)) ||
    (codeOf(error) === 'XX000' && /connection|could not commit transaction for shard/i.test(messageOf(error))) ||
    (codeOf(error) === '58030' && /COPY to shard/i.test(messageOf(error))))

const toStoreError = (error: unknown): unknown => {
  if (error instanceof StoreError) return error
  const refusal = refusalOf(error)
  if (refusal !== undefined) return new StoreError(refusal, { cause: error })
  return error instanceof pg.DatabaseError || error instanceof NotYetVisible || isLost(error) || codeOf(error) !== ''
    ? new StoreError(`PostgreSQL: ${messageOf(error)}`, { cause: error })
    : error
}

/**
 * Whether a failure is about the values that were given, so that others may fare better: classes 21 to 23, values that do not
 * fit, and 54, which are too large. What the store did not say is about what it was given to begin with.
 */
export const isAboutData = (error: unknown): boolean =>
  !(error instanceof StoreError) || /^(2[123]|54)...$/.test(codeOf(error.cause))
