import { useIntake } from './intake-data.ts'
import { arrivedIn } from './intake-words.ts'
import { ViewLink } from './view-link.tsx'

/** Says that something arrives even if none of it is a message, so that anyone waiting for one looks for the fault there. */
export const NothingCharged = ({ organization }: { readonly organization: string | undefined }) => {
  const { data } = useIntake(organization)
  const hasArrived = data?.sources.some((source) => arrivedIn(source) > 0) === true
  return hasArrived ? (
    <>
      {' '}
      Something has arrived, but none of it is a message: <ViewLink change={{ area: 'intake' }}>Intake</ViewLink> says
      why.
    </>
  ) : null
}
