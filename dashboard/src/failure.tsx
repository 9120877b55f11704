import { ApiError, ConnectionError } from 'copilot-credits-client'
import { failureText } from './failure-text.ts'
import { focusMain } from './focus.ts'
import { dateTime, spanName } from './format.ts'
import { isPassing } from './recovery.ts'
import type { Shown } from './shown.ts'
import { changeView, type View } from './view.ts'

type Props = {
  readonly view: View
  readonly error: Error
  /** What is still shown. */
  readonly shown: Shown | undefined
  /** When that was last known to be current. */
  readonly at: number
  readonly refresh: () => void
}

/** The one notice that something could not be loaded, and the ways out. */
export const Failure = ({ view, error, shown, at, refresh }: Props) => {
  const isDefaultView = view.period === 'current' && view.range === undefined && view.organization === undefined
  const isStaying = shown !== undefined && (shown.view.period !== view.period || shown.view.range !== view.range)
  const isOrganization = isWrongOrganization(view, error)
  const go = (change: Partial<View>): void => {
    focusMain()
    changeView({ bar: undefined, ...change })
  }
  return (
    <div role="alert" className="notice bad">
      <div>
        <strong>
          {isOrganization ? `No organization called “${view.organization}”.` : titleOf(error, shown, isStaying)}
        </strong>
        <p>{isOrganization ? WHICH_ORGANIZATION : detailOf(error, shown, at)}</p>
      </div>
      {!isOrganization && (
        <button
          type="button"
          onClick={() => {
            focusMain()
            refresh()
          }}
        >
          Try again
        </button>
      )}
      {isStaying && (
        <button type="button" onClick={() => go({ period: shown.view.period, range: shown.view.range })}>
          Stay with {spanOf(shown)}
        </button>
      )}
      {isDefaultView && shown === undefined && (
        <button type="button" onClick={() => changeView({ period: 'previous' })}>
          Show the previous period
        </button>
      )}
      {!isDefaultView && shown === undefined && (
        <button type="button" onClick={() => go({ period: 'current', range: undefined, organization: undefined })}>
          {view.organization === undefined ? 'Show the current period' : 'Show your organization'}
        </button>
      )}
    </div>
  )
}

const WHICH_ORGANIZATION =
  'Check the organization in the address, also for upper and lower case: your key cannot see one with this ID.'

/** The address names an organization that is none, or not the caller's. */
const isWrongOrganization = ({ organization }: View, error: Error): boolean =>
  organization !== undefined &&
  error instanceof ApiError &&
  (error.status === 404 ||
    (error.status === 400 && error.problem.errors?.some(({ field }) => field.includes('organization')) === true))

const titleOf = (error: Error, shown: Shown | undefined, isStaying: boolean): string => {
  if (error instanceof ConnectionError) return 'The service cannot be reached.'
  if (isStaying) return 'Could not load this period.'
  return shown === undefined ? 'Could not load usage.' : 'Could not refresh usage.'
}

const detailOf = (error: Error, shown: Shown | undefined, at: number): string => {
  const parts: string[] = []
  if (!(error instanceof ConnectionError)) parts.push(failureText(error))
  if (shown !== undefined) {
    const { asOf, timeZone } = shown.overview
    parts.push(`Showing ${spanOf(shown)} as of ${dateTime(Math.max(at, asOf), timeZone)}.`)
  }
  if (isPassing(error)) parts.push('The page keeps trying.')
  return parts.join(' ')
}

const spanOf = ({ overview: { from, to, timeZone } }: Shown): string => spanName(from, to, timeZone)
