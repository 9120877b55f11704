import { useIntake } from './intake-data.ts'
import { cameIn } from './intake-words.ts'
import { ViewLink } from './view-link.tsx'

/** Says that something arrives even if none of it is a message: whoever waits for one looks for the fault then. */
export const NothingCharged = ({ organization }: { readonly organization: string | undefined }) => {
  const { data } = useIntake(organization)
  const came = data?.sources.some((source) => cameIn(source) > 0) === true
  return came ? (
    <>
      {' '}
      Something has come, but no message of it: <ViewLink change={{ area: 'intake' }}>Intake</ViewLink> says why.
    </>
  ) : null
}
