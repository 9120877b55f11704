import { useState } from 'react'
import { client, type Overview } from './data.ts'
import { clockTime } from './format.ts'
import { Logo } from './logo.tsx'
import { PeriodPicker } from './period-picker.tsx'
import { ThemeSwitch } from './theme.tsx'
import { changeView, type View } from './view.ts'

type Props = {
  readonly view: View
  readonly overview: Overview | undefined
  readonly isFetching: boolean
  readonly refresh: () => void
  /** There is no session any more. */
  readonly leave: () => void
}

export const Header = ({ view, overview, isFetching, refresh, leave }: Props) => {
  const [failure, setFailure] = useState<string>()
  const signOut = async (): Promise<void> => {
    setFailure(undefined)
    try {
      await client.signOut()
      leave()
    } catch (error) {
      setFailure(error instanceof Error ? error.message : String(error))
    }
  }
  return (
    <header>
      <div className="bar">
        <p className="brand">
          <Logo />
          <strong>Copilot Credits</strong>
          {overview && <span className="organization">{overview.session.organization.name}</span>}
        </p>
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
                You are still signed in. {failure}
              </p>
            )}
            {overview.isStale && (
              <p role="status" className="badge">
                The source of the messages fails: this is the last good answer
              </p>
            )}
            <p>
              Time zone {overview.timeZone}, {overview.isStale ? 'as of' : 'refreshed at'}{' '}
              <time dateTime={new Date(overview.asOf).toJSON()}>{clockTime(overview.asOf, overview.timeZone)}</time>
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
