import { type ReactNode, useLayoutEffect, useRef } from 'react'

type Props = { readonly title: string; readonly close: () => void; readonly children: ReactNode }

/** A dialog at the side: Escape, its button and a click beside it close it; the focus goes back to where it was. */
export const Panel = ({ title, close, children }: Props) => {
  const dialog = useRef<HTMLDialogElement>(null)
  // Before the element goes: a dialog that is no longer in the page cannot give the focus back.
  useLayoutEffect(() => {
    const { current } = dialog
    current?.showModal()
    return () => current?.close()
  }, [])
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: Escape closes a dialog by itself
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
