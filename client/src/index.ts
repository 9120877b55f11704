/** Typed client for Copilot Credits. Runs in Node.js 20 and later and in browsers, without dependencies. */
import { ConnectionError } from './errors.ts'
import { type Call, type CallOptions, createSend, type HttpOptions } from './http.ts'
import { messagesOf, type ReportFields } from './results.ts'
import type {
  Answer,
  ApiKey,
  Body,
  Bucket,
  CardsInForce,
  ChargedAnew,
  Charges,
  CurrentPeriod,
  DefaultCards,
  DetailedUsageLine,
  Intake,
  ListedOrganization,
  Message,
  Organization,
  Period,
  Query,
  Quotes,
  RateCard,
  RateCardEntry,
  Reconciliation,
  Report,
  ReportedMessages,
  Repriced,
  Session,
  Simulation,
  StoredRateCard,
  Totals,
  UsageByRule,
  UsageLine,
  UsagePage,
  WholeRateCard,
} from './types.ts'

export type { AiSdkTelemetry, FieldsOfOperation, OperationInfo } from './ai-sdk.ts'
export { ApiError, ConnectionError } from './errors.ts'
export type { CallOptions, HttpOptions as ClientOptions } from './http.ts'
export type { ReportCounts, ReportProblem } from './report-queue.ts'
export { createReporter, type Reporter, type ReporterOptions } from './reporter.ts'
export { messagesOf, type ReportFields } from './results.ts'
export type * from './types.ts'

/** The usage of a range in one response, and how fresh it is. */
export type Bill = {
  readonly usage: readonly UsageLine[]
  /** Seconds since the usage was last confirmed. */
  readonly ageSeconds: number
  /** Whether this is the last good response because the Copilot service is failing. */
  readonly isStale: boolean
  /** Messages of the range without a price, which have no line here. */
  readonly unpriced: number
}

/**
 * Amounts are in credits: exact decimals with at most six decimal places. Timestamps are RFC 3339. A range is `{ period }`
 * (`current`, `previous`, or the month or day on which it starts: `2024-05`, `2024-05-15`) or `{ from, to }` (dates or
 * date-times; `to` is exclusive). The default is the current period.
 *
 * Every method rejects with `ApiError` if the service returns an error: 400 for an invalid request, 401 without a valid key,
 * 403 if the key lacks the scope (`usage:read` to read), 404 for an unknown resource. It rejects with `ConnectionError` if the
 * service cannot be reached, and with the signal's reason if the signal aborts the call. All calls except `signIn`, `signOut`
 * and `createKey` are retried; they are safe to repeat.
 */
export type Client = {
  /**
   * `POST /v1/messages`: reports messages. Each is charged once. Requires the scope `messages:write`.
   *
   * Resolves to one result per message, in order: `accepted` with its cost; `unpriced` with the reason if it is kept, but its
   * rate card has no price for it; `duplicate` if it was already kept with the same content; `conflict` if it was already kept
   * with different content, where `credits` is the existing charge; `rejected` with the `field` and the `reason`. A rejected
   * message does not throw and does not affect the others.
   *
   * A message is identified by its id (`1000` and `"1000"` are different), so repeating a call is safe after any error. After a
   * retry, messages that the first attempt delivered are `duplicate`. One call is one request, of at most 10,000 messages and
   * 16 MiB unless the operator sets other limits; beyond them it fails with `ApiError` 400 or 413.
   */
  readonly reportMessages: (
    messages: readonly Message[],
    query?: Query<'reportMessages'>,
    call?: CallOptions,
  ) => Promise<ReportedMessages>

  /**
   * `POST /v1/messages`: reports what the AI SDK, OpenAI's client or Anthropic's client returned, as `messagesOf` turns it into
   * messages. `fields` say what the result does not, such as `user_id`. Only counts, ids, models and instants are sent. Rejects with
   * TypeError if the result has no usage.
   */
  readonly report: (
    result: object,
    fields?: ReportFields,
    query?: Query<'reportMessages'>,
    call?: CallOptions,
  ) => Promise<ReportedMessages>

  /**
   * `POST /v1/quotes`: what messages would cost, each with its lines. Records nothing. `rate_card` is the version of a stored card
   * or a whole card; without it, each message is priced by the card in force at its timestamp. Requires the scope
   * `messages:write` or `usage:read`.
   */
  readonly quote: (
    request: Body<'quoteMessages'>,
    query?: Query<'quoteMessages'>,
    call?: CallOptions,
  ) => Promise<Quotes>

  /**
   * `GET /usage`: what each message of a range cost, in one response. Fails with `ApiError` 502 or 504 if the Copilot service
   * fails and no good response is recent enough.
   */
  readonly bill: (query?: Query<'getUsage'>, call?: CallOptions) => Promise<Bill>

  /**
   * `GET /v1/usage`: the usage lines of a range, in time order unless `order` says otherwise. A line without a price has the reason
   * as `unpriced` in place of `credits_used`; `{ unpriced: 'true' }` selects these. Fetches each page when the previous one is
   * used up; leaving the loop stops fetching. `limit` is the page size: 1,000 by default, at most 10,000.
   */
  readonly usage: (query?: Omit<Query<'listUsage'>, 'cursor'>, call?: CallOptions) => AsyncGenerator<DetailedUsageLine>

  /** `GET /v1/usage`: one page of usage lines, 100 by default. `next_cursor` is the `cursor` of the next page. */
  readonly usagePage: (query?: Query<'listUsage'>, call?: CallOptions) => Promise<UsagePage>

  /**
   * `GET /v1/usage/totals`: messages and credits by `hour`, `day` (the default), `week` or `month`, or `none` for a single
   * bucket. Fetches all pages and joins their buckets, which are consecutive from the start to the end of the range. With
   * `group_by`, the `groups` of a bucket add up to it. `limit` is the number of buckets per page.
   */
  readonly totals: (query?: Omit<Query<'getTotals'>, 'page'>, call?: CallOptions) => Promise<Totals>

  /**
   * `GET /v1/usage/rules`: what messages have cost by the rules of their rate cards. The cases add up to the totals of the range,
   * and the rules of a case to its credits.
   */
  readonly usageByRule: (query?: Query<'getUsageByRule'>, call?: CallOptions) => Promise<UsageByRule>

  /** `GET /v1/periods`: billing periods, latest first, back to the period of the first message. */
  readonly periods: (query?: Omit<Query<'listPeriods'>, 'cursor'>, call?: CallOptions) => AsyncGenerator<Period>

  /** `GET /v1/periods/current`: the current billing period and its usage so far. */
  readonly currentPeriod: (query?: Query<'getCurrentPeriod'>, call?: CallOptions) => Promise<CurrentPeriod>

  /**
   * `GET /v1/messages/{id}`: what a message cost and why. Returns every charge, the one in effect first, with one line per
   * pricing rule: `quantity` × `rate` ÷ `per`, rounded once, is `credits`. The ids `1000` and `"1000"` are different messages.
   * Fails with `ApiError` 404 for an unknown message, and with RangeError for the ids `"."` and `".."`, which no URL path can hold.
   */
  readonly charges: (
    id: number | string,
    query?: Omit<Query<'getMessageCharges'>, 'id_type'>,
    call?: CallOptions,
  ) => Promise<Charges>

  /**
   * `POST /v1/rate-cards`: stores a rate card for all organizations, and says which fields of a message it reads. The same card
   * again has no effect; another one under its version is `ApiError` 409. An invalid card is `ApiError` 400, and `problem.errors`
   * names every fault. Requires an operator key, as every change of rate cards does.
   */
  readonly storeRateCard: (
    card: RateCard,
    query?: Query<'storeRateCard'>,
    call?: CallOptions,
  ) => Promise<StoredRateCard>

  /** `GET /v1/rate-cards`: every rate card of the catalogue, by version. */
  readonly rateCards: (query?: Query<'listRateCards'>, call?: CallOptions) => Promise<readonly RateCardEntry[]>

  /** `GET /v1/rate-cards/{version}`: a rate card as it was stored. */
  readonly rateCard: (version: string, query?: Query<'getRateCard'>, call?: CallOptions) => Promise<WholeRateCard>

  /**
   * `PUT /v1/organizations/{id}/rate-card`: puts a rate card in force for an organization, from an instant on or from now on.
   * Messages that are already charged stay as they are; `priced_otherwise` counts those that another card charged. An instant in
   * a closed period is `ApiError` 409.
   */
  readonly useRateCard: (organization: string, use: Body<'useRateCard'>, call?: CallOptions) => Promise<CardsInForce>

  /** `GET /v1/organizations/{id}/rate-card`: the cards that an organization uses, used or will use, in order of time. */
  readonly rateCardsInForce: (organization: string, call?: CallOptions) => Promise<CardsInForce>

  /** `PUT /v1/default-rate-card`: puts a rate card in force for organizations that use none of their own. */
  readonly useDefaultRateCard: (
    use: Body<'useRateCardByDefault'>,
    query?: Query<'useRateCardByDefault'>,
    call?: CallOptions,
  ) => Promise<DefaultCards>

  /** `GET /v1/default-rate-card`: the cards of organizations that use none of their own. Requires an operator key. */
  readonly defaultRateCards: (query?: Query<'getDefaultRateCard'>, call?: CallOptions) => Promise<DefaultCards>

  /**
   * `POST /v1/simulations`: what the messages of a range would cost by another rate card, the version of a stored one or a whole
   * card. Writes nothing. An invalid card is `ApiError` 400, and `problem.errors` names every fault. Of many messages it takes
   * seconds: give the client a longer `timeoutMs`. Requires an operator key.
   */
  readonly simulate: (
    request: Body<'simulateRateCard'>,
    query?: Query<'simulateRateCard'>,
    call?: CallOptions,
  ) => Promise<Simulation>

  /**
   * `POST /v1/simulations/{hash}/apply`: charges the messages anew that another card has charged, as the simulation with this
   * hash has shown. The request is that of the simulation. `ApiError` 409 if charges have changed since, if the card is not in
   * force for the whole range, or if a part of it is closed. Requires an operator key.
   */
  readonly applySimulation: (
    hash: string,
    request: Body<'applySimulation'>,
    query?: Query<'applySimulation'>,
    call?: CallOptions,
  ) => Promise<ChargedAnew>

  /**
   * `POST /v1/reconciliations`: what messages cost, against what a vendor bills for them. `csv` is the text of its file. Writes
   * nothing. A file that cannot be read is `ApiError` 400 with the line. Requires the scope `usage:read`.
   */
  readonly reconcile: (
    request: Body<'reconcile'>,
    query?: Pick<Query<'reconcile'>, 'organization'>,
    call?: CallOptions,
  ) => Promise<Reconciliation>

  /**
   * `POST /v1/organizations/{id}/reprice`: charges the messages that had no price and have one now. The service also does this
   * by itself whenever a card is put in force or a report is set. The result counts what the last attempt did. Requires the scope
   * `admin`.
   */
  readonly reprice: (organization: string, query?: Query<'repriceMessages'>, call?: CallOptions) => Promise<Repriced>

  /**
   * `GET /v1/organizations`: all organizations by id for an operator key, otherwise the key's own. With `{ include: 'usage' }`, each
   * has its usage of the current billing period and of the one before.
   */
  readonly organizations: (
    query?: Omit<Query<'listOrganizations'>, 'cursor'>,
    call?: CallOptions,
  ) => AsyncGenerator<ListedOrganization>

  /** `POST /v1/organizations`: creates an organization. `ApiError` 409 if its id is taken. Requires an operator key. */
  readonly createOrganization: (organization: Body<'createOrganization'>, call?: CallOptions) => Promise<Organization>

  /**
   * `PATCH /v1/organizations/{id}`: changes the fields that are given. A time zone or billing day waits for the next period, and is
   * `pending` until then. Requires the scope `admin`.
   */
  readonly changeOrganization: (
    id: string,
    change: Body<'changeOrganization'>,
    call?: CallOptions,
  ) => Promise<Organization>

  /**
   * `GET /v1/intake`: what came from each source and with each key, and what became of it, since the process started that answers.
   * Requires the scope `usage:read` or `messages:write`.
   */
  readonly intake: (query?: Query<'getIntake'>, call?: CallOptions) => Promise<Intake>

  /** `GET /v1/keys`: the API keys of an organization, including revoked ones. Requires the scope `admin`. */
  readonly keys: (query?: Query<'listKeys'>, call?: CallOptions) => Promise<readonly ApiKey[]>

  /** `POST /v1/keys`: creates an API key. Its secret is in this response only. Not retried. Requires the scope `admin`. */
  readonly createKey: (
    wanted: Body<'createKey'>,
    query?: Query<'createKey'>,
    call?: CallOptions,
  ) => Promise<ApiKey & { readonly key: string }>

  /** `DELETE /v1/keys/{id}`: revokes an API key. Requires the scope `admin`. */
  readonly revokeKey: (id: string, query?: Query<'revokeKey'>, call?: CallOptions) => Promise<ApiKey>

  /** `GET /v1/reports`: the reports of the service's own catalogue, by id as a text. */
  readonly reports: (query?: Omit<Query<'listReports'>, 'cursor'>, call?: CallOptions) => AsyncGenerator<Report>

  /**
   * `PUT /v1/reports/{id}`: sets the name and price of a report for messages reported from now on. Requires an operator key, as
   * `deleteReport` does.
   */
  readonly putReport: (id: number | string, report: Body<'putReport'>, call?: CallOptions) => Promise<Report>

  /** `DELETE /v1/reports/{id}`: from now on, messages that request the report are priced by their text. */
  readonly deleteReport: (id: number | string, call?: CallOptions) => Promise<void>

  /** `GET /v1/session`: the caller's scopes and organization, and the service's clock. */
  readonly session: (query?: Query<'getSession'>, call?: CallOptions) => Promise<Session>

  /**
   * `POST /v1/session`: signs in with an API key. Only for pages of the service itself: the browser stores a cookie that scripts
   * cannot read and sends it with later requests. Not retried. Fails with `ApiError` 401 if the key is invalid.
   */
  readonly signIn: (key: string, call?: CallOptions) => Promise<void>

  /** `DELETE /v1/session`: signs out. Only for pages of the service itself. Not retried. */
  readonly signOut: (call?: CallOptions) => Promise<void>
}

/** Throws RangeError if `attempts` or `timeoutMs` is out of range. */
export const createClient = (options: HttpOptions = {}): Client => {
  const send = createSend(options)

  /** Checks that the response has `field`. Without it, something other than the service answered. */
  const ask = async <T>(
    call: Call,
    field: keyof T & string,
  ): Promise<{ readonly body: T; readonly headers: Headers }> => {
    const { body, headers } = await send(call)
    if ((body as Partial<T> | null | undefined)?.[field] == null) {
      throw new ConnectionError(`The response is not from Copilot Credits: it has no "${field}".`)
    }
    return { body: body as T, headers }
  }

  const get = async <T>(path: string, query: Call['query'], { signal }: CallOptions, field: keyof T & string) => {
    const { body } = await ask<T>({ method: 'GET', path, query, isIdempotent: true, signal }, field)
    return body
  }

  const change = async <T>(
    request: Pick<Call, 'method' | 'path' | 'query' | 'body'>,
    { signal }: CallOptions,
    field: keyof T & string,
  ) => {
    const { body } = await ask<T>({ ...request, isIdempotent: true, signal }, field)
    return body
  }

  const client: Client = {
    reportMessages: (messages, query = {}, call = {}) =>
      change<ReportedMessages>({ method: 'POST', path: '/v1/messages', query, body: { messages } }, call, 'results'),

    report: async (result, fields = {}, query = {}, call = {}) =>
      client.reportMessages(await messagesOf(result, fields), query, call),

    quote: (body, query = {}, call = {}) =>
      change<Quotes>({ method: 'POST', path: '/v1/quotes', query, body }, call, 'quotes'),

    bill: async (query = {}, { signal } = {}) => {
      const call: Call = { method: 'GET', path: '/usage', query, isIdempotent: true, signal }
      const { body, headers } = await ask<Answer<'getUsage'>>(call, 'usage')
      const isStale = headers.get('cache-status')?.includes('detail=stale') === true
      const numberIn = (name: string): number => Number(headers.get(name) ?? 0)
      return { usage: body.usage, ageSeconds: numberIn('age'), isStale, unpriced: numberIn('usage-unpriced') }
    },

    async *usage(query = {}, call = {}) {
      const limit = query.limit ?? LINES_OF_PAGE
      const fetchPage = (cursor: string | undefined) => client.usagePage({ ...query, limit, cursor }, call)
      const pages = pagesOf(fetchPage, ({ next_cursor }) => next_cursor)
      yield* itemsOf(pages, ({ usage }) => usage, call)
    },

    usagePage: (query = {}, call = {}) => get<UsagePage>('/v1/usage', query, call, 'usage'),

    totals: async (query = {}, call = {}) => {
      const fetchPage = (page: string | undefined) =>
        get<Totals>('/v1/usage/totals', { ...query, page }, call, 'buckets')
      const buckets: Bucket[] = []
      let first: Omit<Totals, 'buckets' | 'next_page'> = { version: '', time_zone: '' }
      for await (const { buckets: own, next_page: _, ...same } of pagesOf(fetchPage, ({ next_page }) => next_page)) {
        // If usage changed in between, the version of the first page shows that its buckets are outdated.
        if (buckets.length === 0) first = same
        buckets.push(...own)
      }
      return { ...first, buckets }
    },

    async *periods(query = {}, call = {}) {
      const fetchPage = (cursor: string | undefined) =>
        get<Answer<'listPeriods'>>('/v1/periods', { ...query, cursor }, call, 'periods')
      const pages = pagesOf(fetchPage, ({ next_cursor }) => next_cursor)
      yield* itemsOf(pages, ({ periods }) => periods, call)
    },

    usageByRule: (query = {}, call = {}) => get<UsageByRule>('/v1/usage/rules', query, call, 'cases'),

    currentPeriod: (query = {}, call = {}) => get<CurrentPeriod>('/v1/periods/current', query, call, 'start'),

    charges: async (id, query = {}, call = {}) => {
      const type = typeof id === 'number' ? 'integer' : 'string'
      return get<Charges>(`/v1/messages/${segment(id)}`, { ...query, id_type: type }, call, 'charges')
    },

    storeRateCard: (body, query = {}, call = {}) =>
      change<StoredRateCard>({ method: 'POST', path: '/v1/rate-cards', query, body }, call, 'expects'),

    rateCards: async (query = {}, call = {}) => {
      const { rate_cards } = await get<Answer<'listRateCards'>>('/v1/rate-cards', query, call, 'rate_cards')
      return rate_cards
    },

    rateCard: async (version, query = {}, call = {}) =>
      get<WholeRateCard>(`/v1/rate-cards/${segment(version)}`, query, call, 'card'),

    useRateCard: async (organization, body, call = {}) => {
      const path = `/v1/organizations/${segment(organization)}/rate-card`
      return change<CardsInForce>({ method: 'PUT', path, body }, call, 'in_force')
    },

    rateCardsInForce: async (organization, call = {}) =>
      get<CardsInForce>(`/v1/organizations/${segment(organization)}/rate-card`, {}, call, 'in_force'),

    useDefaultRateCard: (body, query = {}, call = {}) =>
      change<DefaultCards>({ method: 'PUT', path: '/v1/default-rate-card', query, body }, call, 'in_force'),

    defaultRateCards: (query = {}, call = {}) => get<DefaultCards>('/v1/default-rate-card', query, call, 'in_force'),

    simulate: (body, query = {}, call = {}) =>
      change<Simulation>({ method: 'POST', path: '/v1/simulations', query, body }, call, 'hash'),

    reconcile: (body, query = {}, call = {}) =>
      change<Reconciliation>({ method: 'POST', path: '/v1/reconciliations', query, body }, call, 'comparisons'),

    applySimulation: async (hash, body, query = {}, call = {}) => {
      const path = `/v1/simulations/${segment(hash)}/apply`
      return change<ChargedAnew>({ method: 'POST', path, query, body }, call, 'hash')
    },

    reprice: async (organization, query = {}, call = {}) => {
      const path = `/v1/organizations/${segment(organization)}/reprice`
      return change<Repriced>({ method: 'POST', path, query }, call, 'reasons')
    },

    async *organizations(query = {}, call = {}) {
      const fetchPage = (cursor: string | undefined) =>
        get<Answer<'listOrganizations'>>('/v1/organizations', { ...query, cursor }, call, 'organizations')
      const pages = pagesOf(fetchPage, ({ next_cursor }) => next_cursor)
      yield* itemsOf(pages, ({ organizations }) => organizations, call)
    },

    createOrganization: (body, call = {}) =>
      change<Organization>({ method: 'POST', path: '/v1/organizations', body }, call, 'created'),

    changeOrganization: async (id, body, call = {}) =>
      change<Organization>({ method: 'PATCH', path: `/v1/organizations/${segment(id)}`, body }, call, 'created'),

    intake: (query = {}, call = {}) => get<Intake>('/v1/intake', query, call, 'sources'),

    keys: async (query = {}, call = {}) => (await get<Answer<'listKeys'>>('/v1/keys', query, call, 'keys')).keys,

    createKey: async (body, query = {}, { signal } = {}) => {
      const call: Call = { method: 'POST', path: '/v1/keys', query, body, isIdempotent: false, signal }
      return (await ask<ApiKey & { readonly key: string }>(call, 'key')).body
    },

    revokeKey: async (id, query = {}, call = {}) =>
      change<ApiKey>({ method: 'DELETE', path: `/v1/keys/${segment(id)}`, query }, call, 'revoked'),

    async *reports(query = {}, call = {}) {
      const fetchPage = (cursor: string | undefined) =>
        get<Answer<'listReports'>>('/v1/reports', { ...query, cursor }, call, 'reports')
      const pages = pagesOf(fetchPage, ({ next_cursor }) => next_cursor)
      yield* itemsOf(pages, ({ reports }) => reports, call)
    },

    putReport: async (id, body, call = {}) =>
      change<Report>({ method: 'PUT', path: `/v1/reports/${segment(id)}`, body }, call, 'name'),

    deleteReport: async (id, { signal } = {}) => {
      await send({ method: 'DELETE', path: `/v1/reports/${segment(id)}`, isIdempotent: false, signal })
    },

    session: (query = {}, call = {}) => get<Session>('/v1/session', query, call, 'organization'),

    signIn: async (key, { signal } = {}) => {
      await send({ method: 'POST', path: '/v1/session', body: { key }, isIdempotent: false, signal })
    },

    signOut: async ({ signal } = {}) => {
      await send({ method: 'DELETE', path: '/v1/session', isIdempotent: false, signal })
    },
  }
  return client
}

/**
 * Converts credits to whole millionths, which add up exactly, unlike decimals (0.1 + 0.2); divide the sum by 1e6.
 * Exact up to 2³³ credits, beyond which a double no longer holds six decimal places.
 */
export const toMicros = (credits: number): number => Number(credits.toFixed(6).replace('.', ''))

/** Throws RangeError for `.` and `..`, which URL parsers resolve, even if escaped. */
const segment = (id: number | string): string => {
  if (id === '.' || id === '..') throw new RangeError(`The id "${id}" cannot be part of a URL.`)
  return encodeURIComponent(id)
}

const LINES_OF_PAGE = 1000

/** Yields page after page. Fetches each page when the previous one is used up. */
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
      throw new ConnectionError('The response is not from Copilot Credits: the next page is the same page again.')
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
