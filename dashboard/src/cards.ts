/** Rate cards as the service has them. A card never changes under its version, so none is fetched twice. */
import { useQuery } from '@tanstack/react-query'
import { createClient } from 'copilot-credits-client'
import { parseCard } from '#rating/parse-card.ts'
import { client } from './data.ts'

/** Fails if the card says anything that this page does not know, so that nothing of it is left out in silence. */
export const useCard = (version: string | undefined, organization: string | undefined) =>
  useQuery({
    queryKey: ['card', organization, version],
    enabled: version !== undefined,
    staleTime: Number.POSITIVE_INFINITY,
    structuralSharing: false,
    queryFn: async ({ signal }) => {
      const { card, ...entry } = await client.rateCard(version ?? '', { organization }, { signal })
      return { ...entry, card: parseCard(card) }
    },
  })

/** A simulation of many messages takes longer than other calls, and runs once. */
export const slowClient = createClient({ attempts: 1, timeoutMs: 1_800_000 })
