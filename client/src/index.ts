/** Typed client of Copilot Credits. Works in Node.js 20 and later and in browsers; has no dependencies. */
import { ConnectionError } from './errors.ts'
import { type Call, type CallOptions, createSend, type HttpOptions } from './http.ts'
import type {
  Answer,
  BillLine,
  Bucket,
  Charges,
  CurrentPeriod,
  Message,
  Period,
  Query,
  Reported,
  Session,
  Totals,
  UsageLine,
} from './types.ts'

export { ApiError, ConnectionError } from './errors.ts'
export type { CallOptions, HttpOptions as ClientOptions } from './http.ts'
export type * from './types.ts'

/** A bill, and how fresh it is. */
export type Bill = {
  readonly usage: readonly BillLine[]
  /** Seconds since it was last known to be true. */
  readonly ageSeconds: number
  /** The last good answer, given because the source of the messages fails. */
  readonly isStale: boolean
}

/**
 * Amounts are credits: exact decimals with at most six digits after the point. Times are RFC 3339. A range is
 * `{ period }` (`current`, `previous`, or the month or day in or on which it starts: `2024-05`, `2024-05-15`) or
 * `{ from, to }` (dates or date-times; `to` is not part of it); the current period where nothing is said.
 *
 * Every method throws `ApiError` where the service says no: 400 for what it does not understand, 401 without a good key,
 * 403 where the key lacks the scope (`usage:read`, to read), 404 for what there is not. It throws `ConnectionError` where the
 * service cannot be reached, and the signal's reason where that ends the call. What can be repeated without harm is tried
 * again: reads, and reporting.
 */
export type Client = {
  /**
   * `POST /v1/messages`: reports messages, each charged once for ever. Needs the scope `messages:write`.
   *
   * The answer has a result for each, in order: `accepted` with its credits; `duplicate`, the same again, without effect;
   * `conflict`, another message with the id of one that is there, without effect, `credits` being what holds; `rejected`
   * with the `field` and the `reason`. A message that is rejected does not throw and costs the others nothing.
   *
   * The id is what a message is charged once by (`1000` and `"1000"` are two), so that sending again is safe, also after an
   * error of any kind. After a retry, what had been taken by the first attempt is a `duplicate`. One call is one request:
   * 10,000 messages and 16 MiB at the most where the operator has not set other limits, otherwise `ApiError` 400 or 413.
   */
  readonly reportMessages: (
    messages: readonly Message[],
    query?: Query<'reportMessages'>,
    call?: CallOptions,
  ) => Promise<Reported>

  /**
   * `GET /usage`: what each message of a range cost, whole, in one answer; of the current period where nothing is said.
   * `ApiError` 502 or 504 where the source of the messages fails and no good answer is recent enough.
   */
  readonly bill: (query?: Query<'getUsage'>, call?: CallOptions) => Promise<Bill>

  /**
   * `GET /v1/usage`: the lines of a range in the order of time, with all that is known of each; page by page, and a page
   * is asked for when the one before has been used up. To leave the loop is to ask for nothing more. `limit` is the lines
   * of a page, 1,000 where nothing is said and 10,000 at the most.
   */
  readonly usage: (query?: Omit<Query<'listUsage'>, 'cursor'>, call?: CallOptions) => AsyncGenerator<UsageLine>

  /** `GET /v1/usage`: one page of lines, 100 where no `limit` is said. `next_cursor` is the `cursor` of the next page. */
  readonly usagePage: (query?: Query<'listUsage'>, call?: CallOptions) => Promise<Answer<'listUsage'>>

  /**
   * `GET /v1/usage/totals`: messages and credits by `hour`, `day` (where nothing is said), `week`, `month`, or `none` for
   * one bucket. All pages are joined: buckets follow each other without a gap, from the start of the range to its end.
   * With `group_by`, the `groups` of a bucket add up to it. `limit` is the buckets of a page.
   */
  readonly totals: (query?: Omit<Query<'getTotals'>, 'page'>, call?: CallOptions) => Promise<Totals>

  /** `GET /v1/periods`: billing periods from the current one back to the first that has messages, page by page. */
  readonly periods: (query?: Omit<Query<'listPeriods'>, 'cursor'>, call?: CallOptions) => AsyncGenerator<Period>

  /** `GET /v1/periods/current`: the current billing period, and what has been used of it. */
  readonly currentPeriod: (query?: Query<'getCurrentPeriod'>, call?: CallOptions) => Promise<CurrentPeriod>

  /**
   * `GET /v1/messages/{id}`: what a message cost, and why: every charge, the one that holds first, each with a line for
   * each rule (`quantity` × `rate` = `credits`). The id is a number or a text, and `1000` and `"1000"` are two messages.
   * `ApiError` 404 where there is no such message. RangeError for `"."` and `".."`, which no URL can hold.
   */
  readonly charges: (
    id: number | string,
    query?: Omit<Query<'getMessageCharges'>, 'id_type'>,
    call?: CallOptions,
  ) => Promise<Charges>

  /** `GET /v1/session`: who asks, with which scopes, of which organization, and what the service's clock says. */
  readonly session: (query?: Query<'getSession'>, call?: CallOptions) => Promise<Session>

  /**
   * `POST /v1/session`: in a page of the service, signs in with a key; the browser keeps a cookie that scripts cannot read
   * and sends it with what is asked from then on. Sent once. `ApiError` 401 where the key is not good.
   */
  readonly signIn: (key: string, call?: CallOptions) => Promise<void>

  /** `DELETE /v1/session`: in a page of the service, signs out. Sent once. */
  readonly signOut: (call?: CallOptions) => Promise<void>
}

/** RangeError where `attempts` or `timeoutMs` are not what they can be. */
export const createClient = (options: HttpOptions = {}): Client => {
  const send = createSend(options)

  /** Checks that `field` is there: without it, it is not the service that answered. */
  const ask = async <T>(
    call: Call,
    field: keyof T & string,
  ): Promise<{ readonly body: T; readonly headers: Headers }> => {
    const { body, headers } = await send(call)
    if ((body as Partial<T> | null | undefined)?.[field] == null) {
      throw new ConnectionError(`What answered is not the service: its answer has no "${field}".`)
    }
    return { body: body as T, headers }
  }

  const get = async <T>(path: string, query: Call['query'], { signal }: CallOptions, field: keyof T & string) => {
    const { body } = await ask<T>({ method: 'GET', path, query, isRepeatable: true, signal }, field)
    return body
  }

  const client: Client = {
    reportMessages: async (messages, query = {}, { signal } = {}) => {
      const path = '/v1/messages'
      const call: Call = { method: 'POST', path, query, body: { messages }, isRepeatable: true, signal }
      const { body } = await ask<Reported>(call, 'results')
      return body
    },

    bill: async (query = {}, { signal } = {}) => {
      const call: Call = { method: 'GET', path: '/usage', query, isRepeatable: true, signal }
      const { body, headers } = await ask<Answer<'getUsage'>>(call, 'usage')
      const isStale = headers.get('cache-status')?.includes('detail=stale') === true
      return { usage: body.usage, ageSeconds: Number(headers.get('age') ?? 0), isStale }
    },

    async *usage(query = {}, call = {}) {
      const limit = query.limit ?? LINES_OF_PAGE
      const fetchPage = (cursor: string | undefined) => client.usagePage({ ...query, limit, cursor }, call)
      const pages = pagesOf(fetchPage, ({ next_cursor }) => next_cursor)
      yield* itemsOf(pages, ({ usage }) => usage, call)
    },

    usagePage: (query = {}, call = {}) => get<Answer<'listUsage'>>('/v1/usage', query, call, 'usage'),

    totals: async (query = {}, call = {}) => {
      const fetchPage = (page: string | undefined) =>
        get<Totals>('/v1/usage/totals', { ...query, page }, call, 'buckets')
      const buckets: Bucket[] = []
      let rest: Omit<Totals, 'buckets' | 'next_page'> = { time_zone: '' }
      for await (const { buckets: own, next_page: _, ...same } of pagesOf(fetchPage, ({ next_page }) => next_page)) {
        rest = same
        buckets.push(...own)
      }
      return { ...rest, buckets }
    },

    async *periods(query = {}, call = {}) {
      const fetchPage = (cursor: string | undefined) =>
        get<Answer<'listPeriods'>>('/v1/periods', { ...query, cursor }, call, 'periods')
      const pages = pagesOf(fetchPage, ({ next_cursor }) => next_cursor)
      yield* itemsOf(pages, ({ periods }) => periods, call)
    },

    currentPeriod: (query = {}, call = {}) => get<CurrentPeriod>('/v1/periods/current', query, call, 'start'),

    charges: async (id, query = {}, call = {}) => {
      // URLs take them for steps in the path, escaped or not.
      if (id === '.' || id === '..') throw new RangeError(`a message with the id "${id}" cannot be asked for`)
      const type = typeof id === 'number' ? 'integer' : 'string'
      return get<Charges>(`/v1/messages/${encodeURIComponent(id)}`, { ...query, id_type: type }, call, 'charges')
    },

    session: (query = {}, call = {}) => get<Session>('/v1/session', query, call, 'organization'),

    signIn: async (key, { signal } = {}) => {
      await send({ method: 'POST', path: '/v1/session', body: { key }, isRepeatable: false, signal })
    },

    signOut: async ({ signal } = {}) => {
      await send({ method: 'DELETE', path: '/v1/session', isRepeatable: false, signal })
    },
  }
  return client
}

/**
 * Whole millionths of a credit, which add up exactly where decimals do not (0.1 + 0.2); divide the sum by 1e6.
 * Exact up to 2³³ credits, where a number ends to hold six digits after the point.
 */
export const toMicros = (credits: number): number => Number(credits.toFixed(6).replace('.', ''))

const LINES_OF_PAGE = 1000

/** Page after page, each asked for when the one before has been used up. */
async function* pagesOf<Page>(
  fetchPage: (cursor: string | undefined) => Promise<Page>,
  nextOf: (page: Page) => string | undefined,
): AsyncGenerator<Page> {
  let cursor: string | undefined
  do {
    const page = await fetchPage(cursor)
    yield page
    const next = nextOf(page)
    if (next !== undefined && next === cursor) {
      throw new ConnectionError('What answered is not the service: the page after this one is the same again.')
    }
    cursor = next
  } while (cursor !== undefined)
}

async function* itemsOf<Page, Item>(
  pages: AsyncIterable<Page>,
  itemsIn: (page: Page) => readonly Item[],
  { signal }: CallOptions,
): AsyncGenerator<Item> {
  for await (const page of pages) {
    for (const item of itemsIn(page)) {
      signal?.throwIfAborted()
      yield item
    }
  }
}
