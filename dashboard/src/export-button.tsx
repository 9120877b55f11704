import { chosenIn, fetchFiltered } from './data.ts'
import { useExport } from './export.ts'
import { failureText } from './failure-text.ts'
import type { Shown } from './shown.ts'

/** Exports the messages behind the figures. */
export const ExportButton = ({ view, overview }: Shown) => {
  const chosen = chosenIn(overview, view)
  const { isBusy, failure, exportCsv } = useExport(overview, chosen, () => fetchFiltered(view, overview, chosen))
  const canExport = !isBusy && overview.messages > 0
  return (
    <>
      {/* `aria-disabled`, because a button that becomes `disabled` loses the focus. */}
      <button type="button" onClick={canExport ? exportCsv : undefined} aria-disabled={!canExport}>
        {isBusy ? 'Exporting…' : 'Export CSV'}
      </button>
      {failure !== undefined && (
        <p role="alert" className="badge">
          Could not export the messages. {failureText(failure)}
        </p>
      )}
    </>
  )
}
