import type { Session } from 'copilot-credits-client'
import { useOrganizations } from './data.ts'
import { NO_FILTERS } from './filters.tsx'
import { changeView, type View } from './view.ts'

type Props = { readonly view: View; readonly session: Session }

/** Whose usage is shown; an operator can choose. */
export const OrganizationSwitcher = ({ view, session }: Props) => {
  const { organization: shown, operator: isOperator } = session
  const { data: all = [] } = useOrganizations(isOperator)
  if (!isOperator)
    return (
      <span className="organization" title={shown.name}>
        {shown.name}
      </span>
    )
  const others = all.some(({ id }) => id === shown.id) ? all : [shown, ...all]
  return (
    <select
      className="organization"
      aria-label="Organization"
      title={shown.name}
      value={shown.id}
      onChange={({ target: { value } }) => changeView(viewOfOrganization(view, value))}
    >
      {others.map(({ id, name }) => (
        <option key={id} value={id}>
          {name}
        </option>
      ))}
    </select>
  )
}

/** Periods of another organization start on other days, and its messages, members and reports are others. */
export const viewOfOrganization = ({ period, range, compare }: View, organization: string): Partial<View> => ({
  ...NO_FILTERS,
  organization,
  compare: compare === 'year' || compare === 'none' ? compare : undefined,
  message: undefined,
  ...(range === undefined && period !== 'previous' && { period: 'current' }),
})
