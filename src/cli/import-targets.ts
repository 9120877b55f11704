/** The two targets of `import` and `reprice`: the database, or a running service. */
import { setTimeout as wait } from 'node:timers/promises'
import { type Environment, readConfig } from '#config.ts'
import { mostFrequentFirst } from '#intake/unpriced-reasons.ts'
import { toDecimal } from '#model/credits.ts'
import type { Id, Report } from '#model/report.ts'
import { CommandFailed } from './failure.ts'
import { migrationPrinter } from './terminal.ts'

/** The result of one entry, in the words of the API. */
export type Result = {
  readonly status: string
  readonly id?: Id
  readonly field?: string
  readonly reason?: string
  /** Why there is no price, if there is none. */
  readonly unpriced?: string
  readonly isReportUnknown?: boolean
}

export type Target = {
  readonly setReport: (report: Report) => Promise<void>
  /** Resolves to one result per entry once they are committed. Safe to repeat. */
  readonly take: (entries: readonly unknown[]) => Promise<readonly Result[]>
  /** Charges messages that had no price. Safe to repeat. */
  readonly reprice: () => Promise<Repriced>
  readonly close: () => Promise<void>
}

/** In the words of the API, but with the digits of the credits. */
export type Repriced = {
  readonly tried: number
  readonly priced: number
  readonly credits: string
  readonly unpriced: number
  readonly reasons: readonly { readonly reason: string; readonly messages: number }[]
}

export type TargetOptions = {
  readonly organization: string
  readonly url?: string
  readonly key?: string
}

export const openTarget = (environment: Environment, options: TargetOptions, stop: AbortSignal): Promise<Target> =>
  options.url === undefined ? openDirect(environment, options) : openRemote(environment, options, stop)

const openDirect = async (environment: Environment, { organization: id }: TargetOptions): Promise<Target> => {
  const { openStore } = await import('#compose/store.ts')
  const store = await openStore(readConfig(environment), migrationPrinter(process.stderr))
  const organization = await store.organizations.find(id)
  if (organization === undefined) {
    await store.close()
    throw new CommandFailed(`no such organization: ${id}`)
  }
  return {
    setReport: async (report) => {
      await store.reports.put(report)
    },
    take: async (entries) => {
      const results = await store.intake.take(organization, [...entries])
      return Array.from(results, (result) =>
        'unknownReport' in result ? { ...result, isReportUnknown: true } : result,
      )
    },
    reprice: async () => {
      const { tried, priced, credits, unpriced, reasons } = await store.repricing.reprice(organization)
      const ordered = mostFrequentFirst(reasons).map(([reason, messages]) => ({ reason, messages }))
      return { tried, priced, credits: toDecimal(credits), unpriced, reasons: ordered }
    },
    close: store.close,
  }
}

type Send = (method: string, path: string, body: string) => Promise<unknown>

const openRemote = async (
  environment: Environment,
  { url = '', key, organization }: TargetOptions,
  stop: AbortSignal,
): Promise<Target> => {
  const base = URL.parse(url)
  if (base === null || !/^https?:$/.test(base.protocol))
    throw new CommandFailed('--url must be an http or https URL', 'usage')
  const secret = key ?? environment['COPILOT_CREDITS_KEY']
  const headers = {
    'content-type': 'application/json',
    ...(secret !== undefined && { authorization: `Bearer ${secret}` }),
  }
  const send: Send = async (method, path, body) => {
    const address = new URL(`${base.pathname.replace(/\/$/, '')}${path}`, base)
    if (organization !== 'default') address.searchParams.set('organization', organization)
    // Retrying is always safe: messages that were charged come back as duplicates.
    for (let attempt = 1; ; attempt++) {
      const outcome = await fetch(address, { method, headers, body }).catch((error: Error) => error)
      if (!(outcome instanceof Error) && outcome.ok) return readAnswer(outcome, `${method} ${address.href}`)
      const isTransient = outcome instanceof Error || outcome.status === 429 || outcome.status >= 500
      const reason = `${method} ${address.href}: ${await reasonOf(outcome, secret)}`
      if (!(outcome instanceof Error) && isTooLarge(outcome.status, reason)) throw new TooLarge(reason)
      // A server that refuses a large body can close the connection before its response arrives.
      if (outcome instanceof Error && attempt === ATTEMPTS_OF_LARGE && body.length > LARGE)
        throw new MayBeTooLarge(reason)
      if (!isTransient || attempt === ATTEMPTS || stop.aborted) throw new CommandFailed(reason)
      await wait(Math.min(5000, 100 * 2 ** attempt), undefined, { signal: stop }).catch(() => {})
    }
  }
  const takeAll = createSplitting(send)
  return {
    setReport: async ({ id, name, creditCost }) => {
      const body = `{"name":${JSON.stringify(name)},"credit_cost":${toDecimal(creditCost)}}`
      await send('PUT', `/v1/reports/${encodeURIComponent(id)}`, body)
    },
    take: async (entries) => (entries.length === 0 ? [] : takeAll(entries)),
    reprice: async () =>
      repricedIn(await send('POST', `/v1/organizations/${encodeURIComponent(organization)}/reprice`, '{}')),
    close: async () => {},
  }
}

const ATTEMPTS = 10
const ATTEMPTS_OF_LARGE = 3
const LARGE = 64 * 1024

/** The request exceeds a limit of the service. */
class TooLarge extends CommandFailed {}
/** The connection broke while a large body was being sent, perhaps because of a limit. */
class MayBeTooLarge extends TooLarge {}

const isTooLarge = (status: number, reason: string): boolean =>
  status === 413 || (status === 400 && /body[./]messages must be an array of at most \d+/.test(reason))

/** Splits a request that is too large in half, repeatedly. A single message that is still too large is rejected. */
const createSplitting = (send: Send): Target['take'] => {
  // The limits learned so far, so that later batches are split without another refusal.
  let bytesMax = Number.POSITIVE_INFINITY
  let entriesMax = Number.POSITIVE_INFINITY
  const take = async (entries: readonly unknown[]): Promise<readonly Result[]> => {
    const body = JSON.stringify({ messages: entries })
    if (entries.length > 1 && (body.length > bytesMax || entries.length > entriesMax)) return inHalves(entries)
    try {
      return resultsIn(await send('POST', '/v1/messages', body), entries.length)
    } catch (error) {
      if (!(error instanceof TooLarge)) throw error
      const [, most] = /an array of at most (\d+)/.exec(error.message) ?? []
      if (most !== undefined) entriesMax = Math.max(1, Number(most))
      else if (!(error instanceof MayBeTooLarge)) bytesMax = Math.min(bytesMax, body.length - 1)
      if (entries.length > 1) return inHalves(entries)
      if (most !== undefined || error instanceof MayBeTooLarge) throw error
      const [{ id } = {}] = entries as readonly { readonly id?: Id }[]
      const reason = `exceeds the service's limit for a request (status 413, ${body.length} characters); raise INTAKE_MAX_BYTES`
      return [{ status: 'rejected', ...(id !== undefined && { id }), field: '', reason }]
    }
  }
  const inHalves = async (entries: readonly unknown[]): Promise<readonly Result[]> => {
    const middle = entries.length >> 1
    return [...(await take(entries.slice(0, middle))), ...(await take(entries.slice(middle)))]
  }
  return take
}

const STATUSES = new Set(['accepted', 'unpriced', 'duplicate', 'conflict', 'rejected'])

const resultsIn = (answer: unknown, count: number): readonly Result[] => {
  const { results } = (answer ?? {}) as { readonly results?: readonly (Result & { readonly unknown_report?: true })[] }
  const isWhole = Array.isArray(results) && results.length === count
  if (!isWhole || !results.every((each) => STATUSES.has(each?.status)))
    throw new CommandFailed(`the response does not have one result per message; ${CHECK_URL}`)
  return results.map((each) => (each.unknown_report === true ? { ...each, isReportUnknown: true } : each))
}

const repricedIn = (answer: unknown): Repriced => {
  const { tried, priced, credits, unpriced, reasons } = (answer ?? {}) as Omit<Repriced, 'credits'> & {
    readonly credits?: unknown
  }
  if (typeof credits !== 'number' || !Array.isArray(reasons))
    throw new CommandFailed(`the response does not say what was priced; ${CHECK_URL}`)
  return { tried, priced, credits: String(credits), unpriced, reasons }
}

const CHECK_URL = 'check that --url is the address of a Copilot Credits service'

/** Leaves out the parser's error, which quotes its input. */
const readAnswer = async (response: Response, call: string): Promise<unknown> => {
  const text = await response.text()
  try {
    return JSON.parse(text)
  } catch {
    throw new CommandFailed(`${call}: the response is not JSON; ${CHECK_URL}`)
  }
}

const reasonOf = async (outcome: Response | Error, secret: string | undefined): Promise<string> => {
  if (outcome instanceof Error) return outcome.cause instanceof Error ? outcome.cause.message : outcome.message
  const { detail } = (await outcome.json().catch(() => ({}))) as { readonly detail?: unknown }
  const shown = typeof detail === 'string' ? `: ${detail}` : ''
  return `status ${outcome.status}${secret === undefined ? shown : shown.replaceAll(secret, '…')}`
}
