/** What a reader of any figure has to know first. */
import type { Overview } from './data.ts'
import { focusMain } from './focus.ts'
import { barName, credits, messagesName, spanName } from './format.ts'
import type { Move } from './shown.ts'
import { UnpricedNotice } from './unpriced-notice.tsx'
import type { Bar } from './usage.ts'
import { changeView, type View } from './view.ts'
import { ViewLink } from './view-link.tsx'

type AddressProps = { readonly view: View; readonly overview: Overview; readonly chosen: Bar | undefined }

/** What the address asks for and the page cannot show. */
export const AddressNotices = ({ view, overview, chosen }: AddressProps) => {
  const { from, to, timeZone } = overview
  return (
    <>
      {view.ignored.length > 0 && (
        <p role="status" className="notice">
          <span>
            Part of the address has no effect, as it is not valid: <code>{view.ignored.join(' ')}</code>
          </span>
          <button type="button" onClick={() => dismiss({})}>
            Dismiss
          </button>
        </p>
      )}
      {view.bar !== undefined && chosen === undefined && (
        <p role="status" className="notice">
          <span>
            The address asks for {barName(Date.parse(view.bar), Date.parse(view.bar) + 1, 'day', timeZone)}, which is
            not in {spanName(from, to, timeZone)}. All of the period is shown.
          </span>
          <button type="button" onClick={() => dismiss({ bar: undefined })}>
            Dismiss
          </button>
        </p>
      )}
    </>
  )
}

/** The address without what has no effect. */
const dismiss = (change: Partial<View>): void => {
  focusMain()
  changeView(change, 'typing')
}

/** Somebody signed in again in another tab of this browser. */
export const MovedNotice = ({ from, to, dismiss }: Move & { readonly dismiss: () => void }) => (
  <p role="alert" className="notice">
    <span>
      <strong>This tab now shows {to}.</strong> You signed in to it in another tab. Before, this tab showed {from}.
    </span>
    <button
      type="button"
      onClick={() => {
        focusMain()
        dismiss()
      }}
    >
      Dismiss
    </button>
  </p>
)

export const Notices = ({ view, overview }: { readonly view: View; readonly overview: Overview }) => (
  <>
    {overview.session.source === 'bundled-sample' && (
      <p className="notice">
        <span>
          <strong>This is sample data.</strong>{' '}
          <ViewLink change={{ area: 'developers' }}>Report your first message</ViewLink> to see your own usage, or set{' '}
          <code>UPSTREAM_URL</code> to the address of your Copilot service.
        </span>
      </p>
    )}
    {overview.unpriced > 0 && <UnpricedNotice view={view} overview={overview} />}
    <UpstreamNotices overview={overview} />
  </>
)

/** With an upstream: how the usage shown differs from the Copilot service's listing. */
const UpstreamNotices = ({ overview: { notListed, notRecorded } }: { readonly overview: Overview }) => (
  <>
    {notListed !== undefined && notListed.messages > 0 && (
      <p className="notice">
        <span>
          Includes {messagesName(notListed.messages)} ({credits(notListed.micros)} credits) that the Copilot service
          does not list.
        </span>
      </p>
    )}
    {notRecorded !== undefined && (
      <p className="notice bad">
        <span>
          {messagesName(notRecorded.messages)} ({credits(notRecorded.micros)} credits)
          {notRecorded.messages === 1 ? ' is' : ' are'} missing: the database was unavailable while the Copilot service
          listed {notRecorded.messages === 1 ? 'it' : 'them'}. Tell your operator.
        </span>
      </p>
    )}
  </>
)
