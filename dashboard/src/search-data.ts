/** What the search knows the names of, and where the usage of a name is. */
import { type QueryClient, useQueries } from '@tanstack/react-query'
import { useMemo } from 'react'
import { type Choices, client, type Overview, useChoices, useOrganizations, valuesOf } from './data.ts'
import { OTHERS } from './dimensions.ts'
import { compareNames } from './lines.ts'
import { type Found, foundQuery } from './message-by-id.ts'
import { indexNames } from './search-matches.ts'
import { type Names, SEARCHED, type Searched } from './search-options.ts'
import { barsOf } from './usage.ts'

/** Every day that a message can have. */
const ALWAYS = { from: '1000-01-01', to: '9999-12-31' }
const FRESH_MS = 60_000
/** Beyond this, a report is found if it was ever used. */
const REPORTS_MAX = 10_000
const REPORTS_A_PAGE = 1000

export type SearchedNames = Names & {
  /** Of other periods: `failed` and `loading` mean that only the names of this one are known. */
  readonly others: 'known' | 'loading' | 'failed'
  /** The service tells no more of them apart. */
  readonly isCut: boolean
}

/** The names of each dimension in the period, and in any other as soon as they are known. */
export const useNames = (overview: Overview): Readonly<Record<Searched, SearchedNames>> => {
  const { organization } = overview.view
  const id = overview.session.organization.id
  const choices = useChoices(overview)
  const ever = useQueries({
    queries: SEARCHED.map((dimension) => ({
      queryKey: ['values', id, 'always', dimension],
      staleTime: FRESH_MS,
      queryFn: async ({ signal }: { readonly signal: AbortSignal }) => {
        const used = await valuesOf({ organization, ...ALWAYS }, dimension, { signal })
        return dimension === 'report' ? [...used, ...(await catalogueOf(organization, signal))] : used
      },
    })),
    combine: (results) => results.map(({ data, isError }) => ({ data, hasFailed: isError })),
  })
  return useMemo(() => namesOf(choices, ever), [choices, ever])
}

/** The names of all reports, used or not. */
const catalogueOf = async (organization: string | undefined, signal: AbortSignal): Promise<readonly string[]> => {
  const names: string[] = []
  for await (const { name } of client.reports({ organization, limit: REPORTS_A_PAGE }, { signal })) {
    names.push(name)
    if (names.length === REPORTS_MAX) break
  }
  return names
}

type Answer = { readonly data: readonly string[] | undefined; readonly hasFailed: boolean }

const namesOf = (choices: Choices, ever: readonly Answer[]) => {
  const of = (dimension: Searched): SearchedNames => {
    const here = choices[dimension]
    const { data: anywhere, hasFailed = false } = ever[SEARCHED.indexOf(dimension)] ?? {}
    const shown = new Set(here)
    const names = [...new Set([...here, ...(anywhere ?? [])])].filter((name) => name !== OTHERS)
    return {
      index: indexNames(names.sort(compareNames)),
      isInPeriod: (name) => shown.has(name),
      others: anywhere !== undefined ? 'known' : hasFailed ? 'failed' : 'loading',
      isCut: here.includes(OTHERS) || anywhere?.includes(OTHERS) === true,
    }
  }
  return { member: of('member'), report: of('report'), model: of('model'), team: of('team'), feature: of('feature') }
}

/** The latest message with the value, of any period; undefined if there is none. */
export const findLatest = async (
  queries: QueryClient,
  organization: string | undefined,
  dimension: Searched,
  value: string,
): Promise<Found | undefined> => {
  const latest = { organization, ...ALWAYS, order: '-time', limit: 1 } as const
  const filters =
    dimension === 'report'
      ? (await reportIdsOf(organization, value)).map((report) => ({ report_id: report }))
      : [{ [FILTERS[dimension]]: value }]
  const pages = await Promise.all(filters.map((filter) => client.usagePage({ ...latest, ...filter })))
  const [line] = pages
    .flatMap(({ usage }) => usage)
    .sort((one, other) => Date.parse(other.timestamp) - Date.parse(one.timestamp))
  if (line === undefined) return undefined
  const id = line.message_id
  const found = await queries.fetchQuery(foundQuery(typeof id === 'string' ? `"${id}"` : String(id), organization))
  return found.find((each) => each.id === id)
}

const FILTERS = { member: 'user_id', team: 'team_id', model: 'model', feature: 'feature' } as const

/** Several reports can have one name. */
const reportIdsOf = async (organization: string | undefined, name: string): Promise<readonly string[]> => {
  const totals = await client.totals({ organization, ...ALWAYS, bucket: 'none', group_by: 'report' })
  return barsOf(totals).flatMap(({ parts }) =>
    parts.flatMap(({ report, reportId }) => (report === name && reportId !== undefined ? reportId : [])),
  )
}

/** The organizations that an operator can switch to. */
export const useOtherOrganizations = ({ session }: Overview) => {
  const { data } = useOrganizations(session.operator)
  return useMemo(() => (data ?? []).filter(({ id }) => id !== session.organization.id), [data, session])
}
