/** What arrived from each source and with each key, asked for again and again. */
import { keepPreviousData, useQuery } from '@tanstack/react-query'
import { client } from './data.ts'

const INTAKE_EVERY_MS = 4000

export const useIntake = (organization: string | undefined, isOfAll = false) =>
  useQuery({
    queryKey: ['intake', organization, isOfAll],
    refetchInterval: INTAKE_EVERY_MS,
    placeholderData: keepPreviousData,
    queryFn: ({ signal }) => client.intake(isOfAll ? { organizations: 'all' } : { organization }, { signal }),
  })
