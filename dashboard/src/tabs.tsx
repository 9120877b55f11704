import { type KeyboardEvent, useRef } from 'react'

type Props<T extends string> = {
  readonly name: string
  readonly tabs: readonly { readonly id: T; readonly name: string }[]
  readonly shown: T
  readonly choose: (id: T, how: 'step' | 'typing') => void
  /** Id of the panel, and prefix of those of the tabs. */
  readonly panel: string
}

export const tabId = (panel: string, tab: string): string => `${panel}-${tab}`

/** A list of tabs that is one stop of the keyboard: arrow keys, Home and End choose. */
export const Tabs = <T extends string>({ name, tabs, shown, choose, panel }: Props<T>) => {
  const list = useRef<HTMLDivElement>(null)
  const press = (event: KeyboardEvent, at: number): void => {
    const next = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: tabs.length - 1 }[event.key]
    const tab = next === undefined ? undefined : tabs[(next + tabs.length) % tabs.length]
    if (tab === undefined) return
    event.preventDefault()
    list.current?.querySelector<HTMLElement>(`#${tabId(panel, tab.id)}`)?.focus()
    choose(tab.id, 'typing')
  }
  return (
    <div ref={list} className="switch" role="tablist" aria-label={name}>
      {tabs.map((tab, at) => (
        <button
          key={tab.id}
          type="button"
          role="tab"
          id={tabId(panel, tab.id)}
          aria-controls={panel}
          aria-selected={tab.id === shown}
          tabIndex={tab.id === shown ? 0 : -1}
          onClick={() => choose(tab.id, 'step')}
          onKeyDown={(event) => press(event, at)}
        >
          {tab.name}
        </button>
      ))}
    </div>
  )
}
