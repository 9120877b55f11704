/** What organizations, keys and reports there are. The secret of a key is in none of these: it is shown once, and kept nowhere. */
import { keepPreviousData, useQuery } from '@tanstack/react-query'
import { client } from './data.ts'

/** How many organizations or reports are listed at first, and how many more each time. */
export const LISTED_AT_ONCE = 100

export type Listed<T> = { readonly items: readonly T[]; readonly hasMore: boolean }

/** Stops fetching pages once there is one more than is shown. */
const firstOf = async <T>(items: AsyncIterable<T>, most: number): Promise<Listed<T>> => {
  const found: T[] = []
  for await (const item of items) {
    if (found.length === most) return { items: found, hasMore: true }
    found.push(item)
  }
  return { items: found, hasMore: false }
}

/** The caller, without any usage. */
export const useSession = (organization: string | undefined, isNeeded: boolean) =>
  useQuery({
    queryKey: ['session', organization],
    enabled: isNeeded,
    queryFn: ({ signal }) => client.session({ organization }, { signal }),
  })

export const useListedOrganizations = (shown: number) =>
  useQuery({
    queryKey: ['organizations', 'usage', shown],
    placeholderData: keepPreviousData,
    queryFn: ({ signal }) =>
      firstOf(client.organizations({ include: 'usage', limit: LISTED_AT_ONCE }, { signal }), shown),
  })

export const useKeys = (organization: string) =>
  useQuery({
    queryKey: ['keys', organization],
    queryFn: ({ signal }) => client.keys({ organization }, { signal }),
  })

export const useReports = (shown: number) =>
  useQuery({
    queryKey: ['reports', shown],
    placeholderData: keepPreviousData,
    queryFn: ({ signal }) => firstOf(client.reports({ limit: LISTED_AT_ONCE }, { signal }), shown),
  })

const ARRIVALS_EVERY_MS = 4000
/** Every day that a message can have. */
const ALWAYS = { from: '1000-01-01', to: '9999-12-31' }

/** The latest message of an organization, of any period; asked for again and again. The sample's do not count. */
export const useArrivals = (organization: string | undefined) =>
  useQuery({
    queryKey: ['arrivals', organization],
    refetchInterval: ARRIVALS_EVERY_MS,
    queryFn: async ({ signal }) => {
      const call = { signal }
      const { source } = await client.session({ organization }, call)
      if (source === 'bundled-sample') return { source, latest: undefined }
      const { usage } = await client.usagePage({ organization, ...ALWAYS, order: '-time', limit: 1 }, call)
      return { source, latest: usage[0] }
    },
  })
