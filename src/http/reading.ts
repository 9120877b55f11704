/** What a request reads: the current period, or the ledger by date. */
import type { FastifyRequest } from 'fastify'
import type { Reading, Readings } from '#answering/readings.ts'
import { isCurrent, type RangeQuery } from '#answering/usage-range.ts'
import type { Callers } from './caller.ts'

export type ReadingOptions = { readonly callers: Callers; readonly readings: Readings<unknown> }

/** Of the organization that the request is about. Throws NotFound. */
export const readingFor = async (
  { callers, readings }: ReadingOptions,
  request: FastifyRequest,
  query: RangeQuery,
): Promise<Reading<unknown>> => {
  const { organization } = await callers.identify(request)
  return isCurrent(query) ? readings.ofCurrent(organization) : readings.byDate(organization)
}

/** Selects the ledger: any period but `current` does. */
export const BY_DATE: RangeQuery = { period: 'previous' }
