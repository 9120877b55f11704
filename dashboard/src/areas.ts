/** The areas of the page in the order of the navigation, and where each is. `src/http/routes/dashboard.ts` serves their paths. */
export const AREAS = [
  { id: 'usage', path: '/', name: 'Usage' },
  { id: 'messages', path: '/messages', name: 'Messages' },
  { id: 'rate-cards', path: '/rate-cards', name: 'Rate cards' },
  { id: 'intake', path: '/intake', name: 'Intake' },
  { id: 'developers', path: '/developers', name: 'Developers' },
  // Last, because who may see it is known later: nothing moves when it appears.
  { id: 'organizations', path: '/organizations', name: 'Organizations' },
] as const
export type Area = (typeof AREAS)[number]['id']

/** Whether the figures of a period are in it. */
export const showsUsage = (area: Area | undefined): boolean => area === 'usage' || area === 'messages'

/** Whether the area shows no usage. It needs only the session. */
export const isOfSession = (area: Area | undefined): boolean =>
  area === 'organizations' || area === 'developers' || area === 'intake'
