import type { PagePosition } from '#model/line-order.ts'
import type { RecordedLine } from '#model/usage-record.ts'
import type { LedgerView, Range } from './ledger.ts'

/** Enough lines to be worth a call, and few enough to let other work run. */
const LINES_PER_PAGE = 2000

/** All lines of a range as of the moment of the view, page by page. No page is empty. */
export async function* linePages(view: LedgerView, range: Range): AsyncGenerator<readonly RecordedLine[]> {
  let after: PagePosition | undefined
  for (;;) {
    const page = await view.page({ ...range, limit: LINES_PER_PAGE, ...(after && { after }) })
    if (page.length > 0) yield page
    after = page.at(-1)
    if (page.length < LINES_PER_PAGE) return
  }
}
