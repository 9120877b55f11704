/** Typed client of Copilot Credits. Works in Node.js 20 and later and in browsers; has no dependencies. */
import { type CallOptions, createSend, type HttpOptions } from './http.ts'
import type { Answer, BillLine, Charges, Period, Query, Session, Totals, UsageLine } from './types.ts'

export { ApiError, ConnectionError } from './errors.ts'
export type { CallOptions, HttpOptions as ClientOptions } from './http.ts'
export type * from './types.ts'

/** The current bill, and how fresh it is. */
export type Bill = {
  readonly usage: readonly BillLine[]
  /** Seconds since it was last known to be true. */
  readonly ageSeconds: number
  /** The last good answer, given because the source of the messages fails. */
  readonly isStale: boolean
}

export type Client = ReturnType<typeof createClient>

/**
 * Every method throws ApiError where the service says no, ConnectionError where it cannot be reached, and the reason of
 * the signal where that ends it. Reads are tried again where the service fails; what changes something is not.
 */
export const createClient = (options: HttpOptions = {}) => {
  const send = createSend(options)

  const get = async <T>(path: string, query: object, { signal }: CallOptions): Promise<T> => {
    const { body } = await send({ method: 'GET', path, query: query as Record<string, string | number>, signal })
    return body as T
  }

  return {
    /** `GET /usage`: the current period's bill. */
    bill: async (query: Query<'getUsage'> = {}, { signal }: CallOptions = {}): Promise<Bill> => {
      const { body, headers } = await send({ method: 'GET', path: '/usage', query, signal })
      const { usage } = body as { readonly usage: readonly BillLine[] }
      const isStale = headers.get('cache-status')?.includes('detail=stale') === true
      return { usage, ageSeconds: Number(headers.get('age') ?? 0), isStale }
    },

    /** `GET /v1/usage`: one page of lines. */
    usagePage: (query: Query<'listUsage'> = {}, call: CallOptions = {}): Promise<Answer<'listUsage'>> =>
      get('/v1/usage', query, call),

    /** Every line of a range, page by page as they are asked for. */
    async *usage(query: Omit<Query<'listUsage'>, 'cursor'> = {}, call: CallOptions = {}): AsyncGenerator<UsageLine> {
      let cursor: string | undefined
      do {
        const page: Answer<'listUsage'> = await get('/v1/usage', { limit: 1000, ...query, cursor }, call)
        yield* page.usage
        cursor = page.next_cursor
      } while (cursor !== undefined)
    },

    /** `GET /v1/usage/totals`: buckets without a gap, all pages of them. */
    totals: async (query: Omit<Query<'getTotals'>, 'page'> = {}, call: CallOptions = {}): Promise<Totals> => {
      const first: Totals = await get('/v1/usage/totals', query, call)
      const buckets = [...first.buckets]
      let page = first.next_page
      while (page !== undefined) {
        const next: Totals = await get('/v1/usage/totals', { ...query, page }, call)
        buckets.push(...next.buckets)
        page = next.next_page
      }
      return { time_zone: first.time_zone, buckets }
    },

    /** Billing periods, the latest first, page by page as they are asked for. */
    async *periods(query: Omit<Query<'listPeriods'>, 'cursor'> = {}, call: CallOptions = {}): AsyncGenerator<Period> {
      let cursor: string | undefined
      do {
        const page: Answer<'listPeriods'> = await get('/v1/periods', { ...query, cursor }, call)
        yield* page.periods
        cursor = page.next_cursor
      } while (cursor !== undefined)
    },

    /** `GET /v1/periods/current`. */
    currentPeriod: (query: Query<'getCurrentPeriod'> = {}, call: CallOptions = {}): Promise<Period> =>
      get('/v1/periods/current', query, call),

    /** `GET /v1/messages/{id}`: what a message cost, and why. Its id is a number or a text, and the two differ. */
    charges: (
      id: number | string,
      query: Omit<Query<'getMessageCharges'>, 'id_type'> = {},
      call: CallOptions = {},
    ): Promise<Charges> =>
      get(
        `/v1/messages/${encodeURIComponent(id)}`,
        { ...query, id_type: typeof id === 'number' ? 'integer' : 'string' },
        call,
      ),

    /** `GET /v1/session`: who asks, and of what. */
    session: (query: Query<'getSession'> = {}, call: CallOptions = {}): Promise<Session> =>
      get('/v1/session', query, call),

    /** In a page of the service: signs in with a key; the browser keeps a cookie that scripts cannot read. */
    signIn: async (key: string, { signal }: CallOptions = {}): Promise<void> => {
      await send({ method: 'POST', path: '/v1/session', body: { key }, signal })
    },

    signOut: async ({ signal }: CallOptions = {}): Promise<void> => {
      await send({ method: 'DELETE', path: '/v1/session', signal })
    },
  }
}
