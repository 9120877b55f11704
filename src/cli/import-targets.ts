/** Where imported messages go: the ledger itself, or a running service. */
import { setTimeout as wait } from 'node:timers/promises'
import { type Environment, readConfig } from '#config.ts'
import { toDecimal } from '#model/credits.ts'
import type { Id, Report } from '#model/report.ts'
import { CommandFailed } from './failure.ts'

/** What became of an entry, as the service and the library say it. */
export type Result = {
  readonly status: string
  readonly id?: Id
  readonly field?: string
  readonly reason?: string
  readonly isReportUnknown?: boolean
}

export type Target = {
  readonly setReport: (report: Report) => Promise<void>
  /** Resolves to a result for each entry, once it is committed. To repeat it is safe. */
  readonly take: (entries: readonly unknown[]) => Promise<readonly Result[]>
  readonly close: () => Promise<void>
}

export type TargetOptions = {
  readonly organization: string
  readonly url?: string
  readonly key?: string
}

export const openTarget = (environment: Environment, options: TargetOptions, stop: AbortSignal): Promise<Target> =>
  options.url === undefined ? openDirect(environment, options) : openRemote(environment, options, stop)

const openDirect = async (environment: Environment, { organization: id }: TargetOptions): Promise<Target> => {
  const { openStore } = await import('#service.ts')
  const store = await openStore(readConfig(environment))
  const organization = await store.organizations.find(id)
  if (organization === undefined) {
    await store.close()
    throw new CommandFailed(`there is no organization ${id}`)
  }
  return {
    setReport: async (report) => {
      await store.reports.put(report)
    },
    take: async (entries) => {
      const results = await store.intake.take(organization, entries)
      return results.map((result) => ('unknownReport' in result ? { ...result, isReportUnknown: true } : result))
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
    // To send it again is always safe: what was charged is a duplicate then.
    for (let attempt = 1; ; attempt++) {
      const outcome = await fetch(address, { method, headers, body }).catch((error: Error) => error)
      if (!(outcome instanceof Error) && outcome.ok) return readAnswer(outcome, `${method} ${address.href}`)
      const mayPass = outcome instanceof Error || outcome.status === 429 || outcome.status >= 500
      const reason = `${method} ${address.href}: ${await reasonOf(outcome, secret)}`
      if (!(outcome instanceof Error) && isTooLarge(outcome.status, reason)) throw new TooLarge(reason)
      // A server that refuses a large body may close the connection before it is heard.
      if (outcome instanceof Error && attempt === ATTEMPTS_OF_LARGE && body.length > LARGE)
        throw new MayBeTooLarge(reason)
      if (!mayPass || attempt === ATTEMPTS || stop.aborted) throw new CommandFailed(reason)
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
    close: async () => {},
  }
}

const ATTEMPTS = 10
const ATTEMPTS_OF_LARGE = 3
const LARGE = 64 * 1024

/** The service takes less at one time than was sent. */
class TooLarge extends CommandFailed {}
/** The connection broke while a large body was being sent. */
class MayBeTooLarge extends TooLarge {}

const isTooLarge = (status: number, reason: string): boolean =>
  status === 413 || (status === 400 && /body\.messages must be an array of at most \d+/.test(reason))

/** Sends what is too large for one request in halves, down to one message, which is rejected then. */
const createSplitting = (send: Send): Target['take'] => {
  // What was refused is not tried again: from the first refusal on, requests are smaller at once.
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
      const reason = `is larger than the service takes at one time (status 413, ${body.length} characters): raise its INTAKE_MAX_BYTES`
      return [{ status: 'rejected', ...(id !== undefined && { id }), field: '', reason }]
    }
  }
  const inHalves = async (entries: readonly unknown[]): Promise<readonly Result[]> => {
    const middle = entries.length >> 1
    return [...(await take(entries.slice(0, middle))), ...(await take(entries.slice(middle)))]
  }
  return take
}

const STATUSES = new Set(['accepted', 'duplicate', 'conflict', 'rejected'])

const resultsIn = (answer: unknown, count: number): readonly Result[] => {
  const { results } = (answer ?? {}) as { readonly results?: readonly (Result & { readonly unknown_report?: true })[] }
  const isWhole = Array.isArray(results) && results.length === count
  if (!isWhole || !results.every((each) => STATUSES.has(each?.status)))
    throw new CommandFailed(`the answer is not one result for each message: ${IS_SERVICE}`)
  return results.map((each) => (each.unknown_report === true ? { ...each, isReportUnknown: true } : each))
}

const IS_SERVICE = 'is --url the address of this service?'

/** The error of the parser is left out: it quotes what it could not read. */
const readAnswer = async (response: Response, call: string): Promise<unknown> => {
  const text = await response.text()
  try {
    return JSON.parse(text)
  } catch {
    throw new CommandFailed(`${call}: the answer is not JSON: ${IS_SERVICE}`)
  }
}

const reasonOf = async (outcome: Response | Error, secret: string | undefined): Promise<string> => {
  if (outcome instanceof Error) return outcome.cause instanceof Error ? outcome.cause.message : outcome.message
  const { detail } = (await outcome.json().catch(() => ({}))) as { readonly detail?: unknown }
  const shown = typeof detail === 'string' ? `: ${detail}` : ''
  return `status ${outcome.status}${secret === undefined ? shown : shown.replaceAll(secret, '…')}`
}
