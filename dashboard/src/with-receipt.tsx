import type { ReactNode } from 'react'
import { useMedia } from './media.ts'
import { Receipt } from './receipt.tsx'
import type { View } from './view.ts'

/** From here on, there is room for both. */
const HAS_ROOM = '(min-width: 1100px)'

type Props = {
  readonly view: View
  /** As the list shows them. */
  readonly messages: readonly { readonly id: number | string }[]
  readonly timeZone: string
  readonly children: ReactNode
}

/** Shows a list of messages and the receipt of the open message: beside the list on a wide screen, over it on a narrow one. */
export const WithReceipt = ({ view, messages, timeZone, children }: Props) => {
  const hasRoom = useMedia(HAS_ROOM)
  const isOpen = view.message !== undefined
  return (
    <div className={isOpen && hasRoom ? 'with-receipt open' : 'with-receipt'}>
      <div className="listed">{children}</div>
      {view.message !== undefined && (
        <Receipt view={view} id={view.message} timeZone={timeZone} messages={messages} isBeside={hasRoom} />
      )}
    </div>
  )
}
