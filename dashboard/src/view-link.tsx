import type { MouseEvent, ReactNode } from 'react'
import { addressOf, changeView, useView, type View } from './view.ts'

type Props = {
  readonly change: Partial<View>
  /** It leads to where the reader is. */
  readonly isCurrent?: boolean
  readonly children: ReactNode
}

/** A link that changes the view, and can be opened in a new tab like any other. */
export const ViewLink = ({ change, isCurrent = false, children }: Props) => {
  const view = useView()
  return (
    <a
      href={addressOf({ ...view, ...change })}
      aria-current={isCurrent ? 'page' : undefined}
      onClick={(event) => {
        if (!isPlainClick(event)) return
        event.preventDefault()
        changeView(change)
      }}
    >
      {children}
    </a>
  )
}

/** Neither a new tab nor a download was asked for. */
export const isPlainClick = ({ ctrlKey, metaKey, shiftKey, altKey, button }: MouseEvent): boolean =>
  !ctrlKey && !metaKey && !shiftKey && !altKey && button === 0
