import { useRef, useState } from 'react'
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
  const actions = useRef<HTMLDivElement>(null)
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
      <button type="button" className="more-button" popoverTarget="actions" aria-label="More">
        <Dots />
      </button>
      {/* A menu where the bar is too narrow, and part of the bar elsewhere. */}
      <div ref={actions} id="actions" popover="auto" className="actions">
        {failure !== undefined && (
          <p role="alert" className="badge">
            Could not sign out. {failure} Try again.
          </p>
        )}
        <button
          type="button"
          onClick={() => {
            // Gives the focus back to what opened the menu, which is still there when the panel closes.
            actions.current?.hidePopover()
            changeView({ isTrying: true })
          }}
        >
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

const Dots = () => (
  <svg viewBox="0 0 16 16" width="16" height="16" aria-hidden="true">
    {[3, 8, 13].map((x) => (
      <circle key={x} cx={x} cy="8" r="1.5" />
    ))}
  </svg>
)

/** Without the scope, there is nothing to see in it. */
const areasFor = (overview: Overview | undefined) =>
  AREAS.filter(({ id }) => id !== 'organizations' || overview?.session.scopes.includes('admin') === true)
