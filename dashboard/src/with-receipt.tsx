import type { ReactNode } from 'react'
import { LazyReceipt } from './lazy-receipt.tsx'
import { useMedia } from './media.ts'
import type { View } from './view.ts'

/** From here on, there is room for both. */
const HAS_ROOM = '(min-width: 1100px)'

type Props = {
  readonly view: View
  /** As the list shows them. */
  readonly messages: readonly { readonly id: number | string }[]
  readonly timeZone: string
  /** Whether the open message was opened from the list. */
  readonly isListed?: boolean
  readonly children: ReactNode
}

/** Shows a list of messages and the receipt of the open message: beside the list if there is room, otherwise over it. */
export const WithReceipt = ({ view, messages, timeZone, isListed = true, children }: Props) => {
  const isBeside = useMedia(HAS_ROOM) && isListed
  const isOpen = view.message !== undefined
  return (
    <div className={isOpen && isBeside ? 'with-receipt open' : 'with-receipt'}>
      <div className="listed">{children}</div>
      {view.message !== undefined && (
        <LazyReceipt view={view} id={view.message} timeZone={timeZone} messages={messages} isBeside={isBeside} />
      )}
    </div>
  )
}
