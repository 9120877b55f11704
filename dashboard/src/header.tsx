import { useState } from 'react'
import { AREAS } from './areas.ts'
import { client, type Overview } from './data.ts'
import { failureText } from './failure-text.ts'
import { Logo } from './logo.tsx'
import { OrganizationSwitcher } from './organization-switcher.tsx'
import { Search } from './search.tsx'
import { ThemeSwitch } from './theme.tsx'
import { changeView, type View } from './view.ts'
import { ViewLink } from './view-link.tsx'

type Props = {
  readonly view: View
  readonly overview: Overview | undefined
  readonly onSignedOut: () => void
}

/** Whose usage it is, and where to go. */
export const Header = ({ view, overview, onSignedOut }: Props) => {
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
  return (
    <div className="bar">
      <div className="brand">
        <Logo />
        <span className="visually-hidden">Copilot Credits</span>
        {overview && <OrganizationSwitcher view={view} session={overview.session} />}
      </div>
      <nav className="areas" aria-label="Areas">
        {areasFor(overview).map(({ id, name }) => (
          <ViewLink key={id} change={{ area: id, message: undefined }} isCurrent={id === view.area}>
            {name}
          </ViewLink>
        ))}
      </nav>
      <Search view={view} overview={overview} areas={areasFor(overview).map(({ id }) => id)} />
      <div className="actions">
        {failure !== undefined && (
          <p role="alert" className="badge">
            Could not sign out. {failure} Try again.
          </p>
        )}
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
  )
}

/** Without the scope, there is nothing to see in it. */
const areasFor = (overview: Overview | undefined) =>
  AREAS.filter(({ id }) => id !== 'organizations' || overview?.session.scopes.includes('admin') === true)
