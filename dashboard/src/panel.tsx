import { type KeyboardEvent, type ReactNode, useEffect, useLayoutEffect, useRef } from 'react'

type Props = {
  readonly title: string
  readonly close: () => void
  /** Beside the Close button. */
  readonly controls?: ReactNode
  /** Part of the page, which stays in reach; otherwise a dialog over it. */
  readonly isBeside?: boolean
  readonly onKeyDown?: (event: KeyboardEvent) => void
  readonly children: ReactNode
}

/**
 * A dialog at the side. Escape or the Close button closes it; over the page, a click outside does too, and the focus returns to
 * where it was. Whoever places it beside something takes the focus back.
 */
export const Panel = ({ title, close, controls, isBeside = false, onKeyDown, children }: Props) => {
  const dialog = useRef<HTMLDialogElement>(null)
  // A layout effect, because a dialog already removed from the page cannot return the focus.
  useLayoutEffect(() => {
    const { current } = dialog
    if (isBeside) {
      current?.focus({ preventScroll: true })
      current?.scrollIntoView({ block: 'nearest' })
      return
    }
    current?.showModal()
    const first = current?.querySelector<HTMLElement>('textarea') ?? current
    first?.focus()
    return () => current?.close()
  }, [isBeside])
  useEscape(isBeside, close)
  return (
    <dialog
      // Another element, because a dialog cannot become modal while it is open.
      key={isBeside ? 'beside' : 'over'}
      ref={dialog}
      open={isBeside}
      tabIndex={-1}
      className={isBeside ? 'panel beside' : 'panel'}
      aria-labelledby="panel-title"
      onCancel={(event) => {
        event.preventDefault()
        close()
      }}
      onClick={({ target, currentTarget }) => {
        if (target === currentTarget && !isBeside) close()
      }}
      onKeyDown={onKeyDown}
    >
      <div className="panel-body">
        <header>
          <h2 id="panel-title">{title}</h2>
          <div className="panel-controls">
            {controls}
            <button type="button" className="quiet" onClick={close}>
              Close
            </button>
          </div>
        </header>
        {children}
      </div>
    </dialog>
  )
}

/** Of a panel beside the page, wherever the focus is, unless Escape means something else there. */
const useEscape = (isBeside: boolean, close: () => void): void => {
  const latest = useRef(close)
  useEffect(() => {
    latest.current = close
  })
  useEffect(() => {
    if (!isBeside) return
    const press = (event: globalThis.KeyboardEvent): void => {
      const { target } = event
      const isElsewhere = target instanceof Element && target.closest('input, select, textarea, .chart, dialog:modal')
      if (event.key === 'Escape' && !event.defaultPrevented && !isElsewhere) latest.current()
    }
    addEventListener('keydown', press)
    return () => removeEventListener('keydown', press)
  }, [isBeside])
}
