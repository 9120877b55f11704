import { type ReactNode, useLayoutEffect, useRef } from 'react'

type Props = { readonly title: string; readonly close: () => void; readonly children: ReactNode }

/** A dialog at the side. Escape, the Close button or a click outside closes it, and the focus returns to where it was. */
export const Panel = ({ title, close, children }: Props) => {
  const dialog = useRef<HTMLDialogElement>(null)
  // A layout effect, because a dialog already removed from the page cannot return the focus.
  useLayoutEffect(() => {
    const { current } = dialog
    current?.showModal()
    return () => current?.close()
  }, [])
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: the browser closes a dialog on Escape
    <dialog
      ref={dialog}
      className="panel"
      aria-labelledby="panel-title"
      onCancel={(event) => {
        event.preventDefault()
        close()
      }}
      onClick={({ target, currentTarget }) => {
        if (target === currentTarget) close()
      }}
    >
      <div className="panel-body">
        <header>
          <h2 id="panel-title">{title}</h2>
          <button type="button" className="quiet" onClick={close}>
            Close
          </button>
        </header>
        {children}
      </div>
    </dialog>
  )
}
