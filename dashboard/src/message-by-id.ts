/** Finds the messages that a typed id names, in any period. */
import { queryOptions } from '@tanstack/react-query'
import { ApiError, type Period } from 'copilot-credits-client'
import { client } from './data.ts'
import { dayOf } from './format.ts'
import { readMessage, type View } from './view.ts'

type MessageId = number | string
export type Found = { readonly id: MessageId; readonly period: { readonly start: string; readonly end: string } }

/** None if there is no such message. `1042` names the number and the text, which are different ids. */
export const foundQuery = (text: string | undefined, organization: string | undefined) =>
  queryOptions({
    queryKey: ['message', organization, text],
    enabled: text !== undefined,
    queryFn: async ({ signal }): Promise<readonly Found[]> => {
      const id = readMessage(text)
      const ids = id === undefined ? [] : typeof id === 'number' ? [id, String(id)] : [id]
      const found = await Promise.all(ids.map((each) => findMessage(each, organization, signal)))
      return found.flatMap((each) => each ?? [])
    },
  })

/** Undefined if there is none. */
const findMessage = async (
  id: MessageId,
  organization: string | undefined,
  signal: AbortSignal,
): Promise<Found | undefined> => {
  try {
    const { charges } = await client.charges(id, { organization }, { signal })
    return charges[0] && { id, period: charges[0].period }
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) return undefined
    throw error
  }
}

type Shown = { readonly from: number; readonly to: number; readonly timeZone: string }

/** Whether the message's period is within what is shown. */
export const isShown = ({ period }: Found, { from, to }: Shown): boolean =>
  Date.parse(period.start) >= from && Date.parse(period.end) <= to

/** The period of the message, unless it is shown. By its name; one that is too old to be listed, by its first day. */
export const periodOf = (found: Found, shown: Shown, periods: readonly Period[]): Partial<View> => {
  if (isShown(found, shown)) return {}
  const start = Date.parse(found.period.start)
  const listed = periods.find((period) => Date.parse(period.start) === start)
  return { range: undefined, period: listed?.name ?? dayOf(start, shown.timeZone) }
}
