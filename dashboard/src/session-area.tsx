import type { Session } from 'copilot-credits-client'
import { DevelopersArea } from './developers-area.tsx'
import { IntakeArea } from './intake-area.tsx'
import { useSession } from './operator-data.ts'
import { OrganizationsArea } from './organizations-area.tsx'
import type { View } from './view.ts'

type Props = {
  readonly view: View
  /** Undefined while usage, with which it comes, cannot be loaded. */
  readonly session: Session | undefined
}

/** The areas that show no usage, and are there even if it cannot be loaded. */
export const SessionArea = ({ view, session }: Props) => {
  const { data, isPending } = useSession(view.organization, session === undefined)
  const known = session ?? data
  if (known === undefined) return isPending ? <p role="status">Loading…</p> : null
  if (view.area === 'intake') return <IntakeArea session={known} organization={view.organization} />
  return view.area === 'organizations' ? (
    <OrganizationsArea session={known} />
  ) : (
    <DevelopersArea session={known} organization={view.organization} />
  )
}
