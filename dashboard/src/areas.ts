/** The areas of the page in the order of the navigation, and where each is. `src/http/routes/dashboard.ts` serves their paths. */
export const AREAS = [
  { id: 'usage', path: '/', name: 'Usage' },
  { id: 'messages', path: '/messages', name: 'Messages' },
  { id: 'rate-cards', path: '/rate-cards', name: 'Rate cards' },
] as const
export type Area = (typeof AREAS)[number]['id']
