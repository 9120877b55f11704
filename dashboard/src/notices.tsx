/** What a reader of any figure has to know first. */
import type { Overview } from './data.ts'
import { NO_FILTERS } from './filters.tsx'
import { credits, messagesName } from './format.ts'
import { changeView, type View } from './view.ts'

export const Notices = ({ view, overview }: { readonly view: View; readonly overview: Overview }) => (
  <>
    {overview.session.source === 'bundled-sample' && (
      <p className="notice">
        <span>
          <strong>This is sample data.</strong> To see your own usage, report messages through{' '}
          <a href="/docs">the API</a>, or set <code>UPSTREAM_URL</code> to the address of your Copilot service.
        </span>
      </p>
    )}
    {overview.unpriced > 0 && <UnpricedNotice view={view} unpriced={overview.unpriced} />}
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

/** What is not in the sums, and what to do about it. */
const UnpricedNotice = ({ view, unpriced }: { readonly view: View; readonly unpriced: number }) => (
  <p className="notice bad">
    <span>
      <strong>
        {messagesName(unpriced)} {unpriced === 1 ? 'has' : 'have'} no price.
      </strong>{' '}
      {unpriced === 1 ? 'It is' : 'They are'} not charged, and not part of any sum here. Put a rate card in force that
      prices {unpriced === 1 ? 'it' : 'them'}.
    </span>
    {!(view.unpriced && view.area === 'messages') && (
      <button type="button" onClick={() => changeView({ ...NO_FILTERS, area: 'messages', unpriced: true })}>
        Show {unpriced === 1 ? 'it' : 'them'}
      </button>
    )}
  </p>
)
