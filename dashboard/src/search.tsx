import { lazy, Suspense, useEffect, useState } from 'react'
import { Boundary } from './boundary.tsx'
import type { SearchProps } from './search-dialog.tsx'
import './search.css'

const loadDialog = () => import('./search-dialog.tsx')
const SearchDialog = lazy(async () => ({ default: (await loadDialog()).SearchDialog }))

/** On a Mac, Ctrl+K deletes the rest of a line. */
const isMac = /^(Mac|iP)/.test(navigator.platform)
const SHORTCUT = isMac ? '⌘K' : 'Ctrl K'

/** Opens the search, also by ⌘K or Ctrl+K from anywhere on the page. */
export const Search = (props: Omit<SearchProps, 'close'>) => {
  const [isOpen, setIsOpen] = useState(false)
  useEffect(() => {
    // Not needed for the first view, but there before the shortcut: what is typed right after it must not be lost.
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
      setIsOpen(true)
    }
    addEventListener('keydown', press)
    return () => removeEventListener('keydown', press)
  }, [])
  const close = (): void => setIsOpen(false)
  return (
    <>
      <button
        type="button"
        className="search-button"
        aria-haspopup="dialog"
        aria-keyshortcuts={isMac ? 'Meta+K' : 'Control+K'}
        title={`Search (${SHORTCUT})`}
        onClick={() => setIsOpen(true)}
      >
        <Magnifier />
        <span className="search-word">Search</span>
        <span className="search-keys" aria-hidden="true">
          {SHORTCUT}
        </span>
      </button>
      {isOpen && (
        <Boundary fallback={<p role="alert">The search could not be loaded. Reload the page.</p>}>
          <Suspense>
            <SearchDialog {...props} close={close} />
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
