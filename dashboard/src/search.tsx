import { type ComponentType, lazy, Suspense, useEffect, useState } from 'react'
import { Boundary } from './boundary.tsx'
import type { SearchProps } from './search-dialog.tsx'
import './search.css'

type Dialog = ComponentType<SearchProps>
let loaded: Dialog | undefined
const loadDialog = async () => {
  loaded = (await import('./search-dialog.tsx')).SearchDialog
  return { default: loaded }
}
const LazyDialog = lazy(loadDialog)

type Opened = { readonly Dialog: Dialog | typeof LazyDialog }
/** At once if it is loaded, which a lazy component never is: what is typed next must not be lost. */
const opened = (before: Opened | undefined): Opened => before ?? { Dialog: loaded ?? LazyDialog }

/** On a Mac, Ctrl+K deletes the rest of a line. */
const isMac = /^(Mac|iP)/.test(navigator.platform)
const SHORTCUT = isMac ? '⌘K' : 'Ctrl K'

/** Opens the search, also by ⌘K or Ctrl+K from anywhere on the page. */
export const Search = (props: Omit<SearchProps, 'close'>) => {
  const [shown, setShown] = useState<Opened>()
  useEffect(() => {
    // Not needed for the first view.
    const idle = globalThis.requestIdleCallback?.(() => loadDialog().catch(() => undefined))
    return () => {
      if (idle !== undefined) cancelIdleCallback(idle)
    }
  }, [])
  useEffect(() => {
    const press = (event: KeyboardEvent): void => {
      const { key, metaKey, ctrlKey, altKey, shiftKey } = event
      const isOwn = isMac ? metaKey && !ctrlKey : ctrlKey && !metaKey
      if (key.toLowerCase() !== 'k' || !isOwn || altKey || shiftKey) return
      event.preventDefault()
      setShown(opened)
    }
    addEventListener('keydown', press)
    return () => removeEventListener('keydown', press)
  }, [])
  const close = (): void => setShown(undefined)
  return (
    <>
      <button
        type="button"
        className="search-button"
        aria-haspopup="dialog"
        aria-keyshortcuts={isMac ? 'Meta+K' : 'Control+K'}
        title={`Search (${SHORTCUT})`}
        onClick={() => setShown(opened)}
      >
        <Magnifier />
        <span className="search-word">Search</span>
        <span className="search-keys" aria-hidden="true">
          {SHORTCUT}
        </span>
      </button>
      {shown !== undefined && (
        <Boundary fallback={<p role="alert">The search could not be loaded. Reload the page.</p>}>
          <Suspense>
            <shown.Dialog {...props} close={close} />
          </Suspense>
        </Boundary>
      )}
    </>
  )
}

const Magnifier = () => (
  <svg className="magnifier" viewBox="0 0 16 16" width="16" height="16" aria-hidden="true">
    <circle cx="7" cy="7" r="4.5" />
    <path d="m10.5 10.5 3.5 3.5" />
  </svg>
)
