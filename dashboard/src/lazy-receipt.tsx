import { type ComponentProps, lazy, Suspense } from 'react'
import { Boundary, LoadFailed } from './boundary.tsx'
import { Panel } from './panel.tsx'
import { changeView } from './view.ts'

const Receipt = lazy(async () => ({ default: (await import('./receipt.tsx')).Receipt }))

/** The receipt of a message. Its code is loaded with the first one. */
export const LazyReceipt = (props: ComponentProps<typeof Receipt>) => (
  <Boundary fallback={<ReceiptFailed />}>
    <Suspense>
      <Receipt {...props} />
    </Suspense>
  </Boundary>
)

const ReceiptFailed = () => (
  <Panel title="Message" close={() => changeView({ message: undefined })}>
    <LoadFailed />
  </Panel>
)
