import { useState } from 'react'
import { AREAS } from './areas.ts'
import { client, type Overview } from './data.ts'
import { failureText } from './failure-text.ts'
import { clockTime, dateTime } from './format.ts'
import { Logo } from './logo.tsx'
import { PeriodPicker } from './period-picker.tsx'
import { ThemeSwitch } from './theme.tsx'
import { changeView, type View } from './view.ts'
import { ViewLink } from './view-link.tsx'

type Props = {
  readonly view: View
  readonly overview: Overview | undefined
  readonly isFetching: boolean
  readonly refresh: () => void
  readonly onSignedOut: () => void
}

export const Header = ({ view, overview, isFetching, refresh, onSignedOut }: Props) => {
  const [failure, setFailure] = useState<string>()
  const signOut = async (): Promise<void> => {
    setFailure(undefined)
    try {
      await client.signOut()
      onSignedOut()
    } catch (error) {
      setFailure(failureText(error))
    }
  }
  // The last known usage can be days old.
  const timeOf = overview?.isStale ? dateTime : clockTime
  return (
    <header>
      <div className="bar">
        <p className="brand">
          <Logo />
          <strong>Copilot Credits</strong>
          {overview && <span className="organization">{overview.session.organization.name}</span>}
        </p>
        <nav className="areas" aria-label="Areas">
          {AREAS.map(({ id, name }) => (
            <ViewLink key={id} change={{ area: id, message: undefined }} isCurrent={id === view.area}>
              {name}
            </ViewLink>
          ))}
        </nav>
        <div className="actions">
          <button type="button" onClick={() => changeView({ isTrying: true })}>
            Try it
          </button>
          <ThemeSwitch />
          {overview?.session.signed_in_by === 'session' && (
            <button type="button" onClick={signOut}>
              Sign out
            </button>
          )}
        </div>
      </div>
      <div className="page-head">
        <h1 className="visually-hidden">Usage of {overview?.session.organization.name ?? 'your organization'}</h1>
        <PeriodPicker view={view} overview={overview} />
        {overview && (
          <div className="state">
            {failure !== undefined && (
              <p role="alert" className="badge">
                Could not sign out. {failure} Try again.
              </p>
            )}
            {overview.isStale && (
              <p role="status" className="badge">
                The Copilot service is unavailable. Showing the last known usage.
              </p>
            )}
            <p>
              Times in {overview.timeZone}, {overview.isStale ? 'as of' : 'refreshed at'}{' '}
              <time dateTime={new Date(overview.asOf).toJSON()}>{timeOf(overview.asOf, overview.timeZone)}</time>
            </p>
            <button type="button" className="quiet" onClick={refresh} aria-busy={isFetching}>
              Refresh
            </button>
          </div>
        )}
      </div>
    </header>
  )
}
