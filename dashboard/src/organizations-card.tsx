import { useQueryClient } from '@tanstack/react-query'
import type { ListedOrganization, Session } from 'copilot-credits-client'
import { useState } from 'react'
import { changeFrom, count, credits, dateTime, spanName, toMicros } from './format.ts'
import { ACTIONS, type Column, ListCard, useEditing } from './list-card.tsx'
import { LISTED_AT_ONCE, useListedOrganizations } from './operator-data.ts'
import { OrganizationForm } from './organization-form.tsx'
import { ViewLink } from './view-link.tsx'

/** Every organization that the caller may see: what it used, when its periods begin, and the way to its keys. */
export const OrganizationsCard = ({ session }: { readonly session: Session }) => {
  const [shown, setShown] = useState(LISTED_AT_ONCE)
  const editing = useEditing<ListedOrganization>()
  const list = useListedOrganizations(shown)
  const queries = useQueryClient()
  const saved = (name: string): void => {
    editing.saved(`Saved ${name}.`)
    for (const key of ['organizations', 'session', 'overview', 'periods'])
      queries.invalidateQueries({ queryKey: [key] })
  }
  return (
    <ListCard
      title={session.operator ? 'Organizations' : 'Your organization'}
      what="organizations"
      list={list}
      editing={editing}
      addName={session.operator ? 'New organization' : undefined}
      showMore={() => setShown(shown + LISTED_AT_ONCE)}
      form={
        editing.editing && (
          <OrganizationForm
            key={editing.editing.item?.id ?? ''}
            organization={editing.editing.item}
            close={editing.close}
            saved={saved}
          />
        )
      }
      columns={COLUMNS}
      row={(organization) => (
        <OrganizationRow
          key={organization.id}
          organization={organization}
          isShown={organization.id === session.organization.id}
          edit={(button) => editing.edit(organization, button)}
        />
      )}
    />
  )
}

const COLUMNS: readonly Column[] = [
  { name: 'Organization' },
  { name: 'Credits this period', className: 'amount' },
  { name: 'Messages', className: 'amount wide' },
  { name: 'Against the period before', className: 'amount wide' },
  { name: 'Time zone, billing day', className: 'wide' },
  ACTIONS,
]

type RowProps = {
  readonly organization: ListedOrganization
  /** Its keys are shown below. */
  readonly isShown: boolean
  readonly edit: (button: HTMLElement) => void
}

const OrganizationRow = ({ organization, isShown, edit }: RowProps) => {
  const { id, name, time_zone: zone, billing_anchor_day: day, pending, usage, keys = 0 } = organization
  const latest = latestName(organization)
  return (
    <tr className={isShown ? 'chosen' : undefined}>
      <th scope="row">
        <ViewLink change={{ area: 'usage', organization: id, period: 'current', range: undefined }}>{name}</ViewLink>
        <span className="note">{id}</span>
        <span className="note narrow">
          {zoneAndDay(zone, day)}
          {pending && `, ${nameOfPending(pending)}`}
        </span>
        <span className="note narrow">{latest}</span>
      </th>
      <td className="amount">
        {usage && credits(toMicros(usage.current.credits))}
        <span className="narrow">{usage && <Change usage={usage} />}</span>
        {usage && (
          <span className="note">{spanName(Date.parse(usage.current.start), Date.parse(usage.current.end), zone)}</span>
        )}
      </td>
      <td className="amount wide">
        {usage && count(usage.current.messages)}
        {usage?.current.unpriced !== undefined && (
          <span className="note no-price">{count(usage.current.unpriced)} without a price</span>
        )}
        <span className="note">{latest}</span>
      </td>
      <td className="amount wide">{usage && <Change usage={usage} />}</td>
      <td className="wide">
        {zoneAndDay(zone, day)}
        {pending && <span className="note">{nameOfPending(pending)}</span>}
      </td>
      <td className="row-actions">
        <ViewLink change={{ organization: id }} isCurrent={isShown}>
          {count(keys)} {keys === 1 ? 'key' : 'keys'}
          <span className="visually-hidden"> of {name}</span>
        </ViewLink>
        <button type="button" className="quiet" onClick={({ currentTarget }) => edit(currentTarget)}>
          Change<span className="visually-hidden"> {name}</span>
        </button>
      </td>
    </tr>
  )
}

const zoneAndDay = (zone: string, day: number): string => `${zone}, day ${day}`

const latestName = ({ latest_message: at, time_zone: zone }: ListedOrganization): string =>
  at === undefined ? 'none yet' : `latest ${dateTime(Date.parse(at), zone)}`

const nameOfPending = (pending: NonNullable<ListedOrganization['pending']>): string =>
  `${zoneAndDay(pending.time_zone, pending.billing_anchor_day)} from ${dateTime(Date.parse(pending.effective_from), pending.time_zone)}`

/** Against the same days of the period before. */
const Change = ({ usage: { current, previous } }: { readonly usage: NonNullable<ListedOrganization['usage']> }) => {
  const [before, now] = [toMicros(previous.to_date.credits), toMicros(current.credits)]
  return (
    <>
      {before === 0 ? '–' : changeFrom(before, now)}
      <span className="note">
        {before === 0 ? 'nothing by the same day' : `than ${credits(before)} by the same day`}
      </span>
    </>
  )
}
