import type { Session } from 'copilot-credits-client'
import { KeysCard } from './keys-card.tsx'
import './operator.css'
import { OrganizationsCard } from './organizations-card.tsx'
import { ReportsCard } from './reports-card.tsx'

/** Who is billed, who may ask, and what reports cost. */
export const OrganizationsArea = ({ session }: { readonly session: Session }) => {
  if (!session.scopes.includes('admin')) return <NotAllowed />
  return (
    <>
      <OrganizationsCard session={session} />
      <KeysCard key={session.organization.id} session={session} />
      <ReportsCard session={session} />
    </>
  )
}

const NotAllowed = () => (
  <section className="card not-allowed">
    <h2>You need another key for this</h2>
    <p>
      Organizations, keys and report prices are for keys with the scope <code>admin</code>. Yours does not have it. Ask
      your administrator for what you need, or sign in with another key.
    </p>
  </section>
)
