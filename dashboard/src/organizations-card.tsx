import { useQueryClient } from '@tanstack/react-query'
import type { ListedOrganization, Session } from 'copilot-credits-client'
import { useRef, useState } from 'react'
import { changeFrom, count, credits, dateTime, spanName, toMicros } from './format.ts'
import { ListCard } from './list-card.tsx'
import { LISTED_AT_ONCE, useListedOrganizations } from './operator-data.ts'
import { OrganizationForm } from './organization-form.tsx'
import { ViewLink } from './view-link.tsx'

type Editing = { readonly organization: ListedOrganization | undefined }

/** Every organization that the caller may see: what it used, when its periods begin, and the way to its keys. */
export const OrganizationsCard = ({ session }: { readonly session: Session }) => {
  const [shown, setShown] = useState(LISTED_AT_ONCE)
  const [editing, setEditing] = useState<Editing>()
  const [outcome, setOutcome] = useState<string>()
  /** What opened the form, and gets the focus back. */
  const opener = useRef<HTMLElement>(null)
  const list = useListedOrganizations(shown)
  const queries = useQueryClient()
  const edit = (organization: ListedOrganization | undefined, button: HTMLElement): void => {
    opener.current = button
    setOutcome(undefined)
    setEditing({ organization })
  }
  const close = (): void => {
    setEditing(undefined)
    opener.current?.focus()
  }
  const saved = (name: string): void => {
    setOutcome(`Saved ${name}.`)
    close()
    for (const key of ['organizations', 'session', 'overview', 'periods'])
      queries.invalidateQueries({ queryKey: [key] })
  }
  return (
    <ListCard
      title={session.operator ? 'Organizations' : 'Your organization'}
      what="organizations"
      list={list}
      outcome={outcome}
      showMore={() => setShown(shown + LISTED_AT_ONCE)}
      action={
        session.operator && (
          <button type="button" onClick={({ currentTarget }) => edit(undefined, currentTarget)}>
            New organization
          </button>
        )
      }
      form={
        editing && (
          <OrganizationForm
            key={editing.organization?.id ?? ''}
            organization={editing.organization}
            close={close}
            saved={saved}
          />
        )
      }
    >
      {(organizations) => (
        <table className="operated">
          <thead>
            <tr>
              <th scope="col">Organization</th>
              <th scope="col" className="amount">
                Credits this period
              </th>
              <th scope="col" className="amount wide">
                Messages
              </th>
              <th scope="col" className="amount wide">
                Against the period before
              </th>
              <th scope="col" className="wide">
                Time zone, billing day
              </th>
              <th scope="col">
                <span className="visually-hidden">Actions</span>
              </th>
            </tr>
          </thead>
          <tbody>
            {organizations.map((organization) => (
              <OrganizationRow
                key={organization.id}
                organization={organization}
                isShown={organization.id === session.organization.id}
                edit={(button) => edit(organization, button)}
              />
            ))}
          </tbody>
        </table>
      )}
    </ListCard>
  )
}

type RowProps = {
  readonly organization: ListedOrganization
  /** Its keys are shown below. */
  readonly isShown: boolean
  readonly edit: (button: HTMLElement) => void
}

const OrganizationRow = ({ organization, isShown, edit }: RowProps) => {
  const { id, name, time_zone: zone, billing_anchor_day: day, pending, usage } = organization
  return (
    <tr className={isShown ? 'chosen' : undefined}>
      <th scope="row">
        <ViewLink change={{ area: 'usage', organization: id, period: 'current', range: undefined }}>{name}</ViewLink>
        <span className="note">{id}</span>
        <span className="note narrow">
          {zoneAndDay(zone, day)}
          {pending && `, ${nameOfPending(pending)}`}
        </span>
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
      </td>
      <td className="amount wide">{usage && <Change usage={usage} />}</td>
      <td className="wide">
        {zoneAndDay(zone, day)}
        {pending && <span className="note">{nameOfPending(pending)}</span>}
      </td>
      <td className="row-actions">
        <ViewLink change={{ organization: id }} isCurrent={isShown}>
          Keys<span className="visually-hidden"> of {name}</span>
        </ViewLink>
        <button type="button" className="quiet" onClick={({ currentTarget }) => edit(currentTarget)}>
          Change<span className="visually-hidden"> {name}</span>
        </button>
      </td>
    </tr>
  )
}

const zoneAndDay = (zone: string, day: number): string => `${zone}, day ${day}`

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
