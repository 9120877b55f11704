/** Runs the statements that both databases share, and the lookups of the reader thread. */
import type { DatabaseSync, StatementSync } from 'node:sqlite'
import type { OrganizationRange } from '#ledger/ledger.ts'
import type { Id } from '#model/report.ts'
import {
  activityOf,
  anyKey,
  daysOf,
  findKey,
  findOrganization,
  findReport,
  isEmpty,
  listKeys,
  listOrganizations,
  listReports,
} from '../shared/catalogue.ts'
import { findCard, findCardsInForce, listCards } from '../shared/rate-cards.ts'
import { runSteps, type Step, type Steps } from '../shared/steps.ts'

export type Run = <T>(steps: Steps<T>) => T

/** `$1` is `?1` in SQLite. Statements are prepared once. */
export const createRun = (database: DatabaseSync): Run => {
  const prepared = new Map<string, StatementSync>()
  const perform = ({ sql, values }: Step) => {
    let statement = prepared.get(sql)
    if (statement === undefined) {
      statement = database.prepare(sql.replaceAll(/\$(\d+)/g, '?$1'))
      prepared.set(sql, statement)
    }
    return statement.all(...values)
  }
  return (steps) => runSteps(steps, perform)
}

export type LookUps = ReturnType<typeof createLookUps>

export const createLookUps = (run: Run) => ({
  organization: (id: string) => run(findOrganization(id)),
  organizations: (page: { readonly after?: string; readonly limit: number }) => run(listOrganizations(page)),
  activityOf: (ids: readonly string[]) => run(activityOf(ids)),
  daysOf: (ranges: readonly OrganizationRange[]) => run(daysOf(ranges)),
  findKey: (organizationId: string, hash: Uint8Array) => run(findKey(organizationId, hash)),
  keys: (organizationId: string) => run(listKeys(organizationId)),
  anyKey: () => run(anyKey()),
  report: (id: Id) => run(findReport(id)),
  reports: (page: { readonly after?: string; readonly limit: number }) => run(listReports(page)),
  card: (version: string) => run(findCard(version)),
  cards: () => run(listCards()),
  cardsInForce: (organizationId: string) => run(findCardsInForce(organizationId)),
  isEmpty: () => run(isEmpty()),
})
