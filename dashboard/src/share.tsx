import type { Period } from 'copilot-credits-client'
import { useEffect, useState } from 'react'
import type { Overview } from './data.ts'
import { addressOf, type View } from './view.ts'

/**
 * The address under which somebody else sees the same, also later: with the name of the period, as "current" means another one
 * then, and with the organization, as it may be opened with another key. The listing of an upstream has no name.
 */
export const shareAddress = (view: View, overview: Overview, periods: readonly Period[]): string => {
  const named = periods.find(
    ({ start, end }) => Date.parse(start) === overview.from && Date.parse(end) === overview.to,
  )?.name
  const isNamed = view.range === undefined && !overview.isListing && named !== undefined
  return addressOf({ ...view, ...(isNamed && { period: named }), organization: overview.session.organization.id })
}

const SAID_MS = 2500

export const CopyLink = ({ address }: { readonly address: string }) => {
  const [outcome, setOutcome] = useState<'copied' | 'refused'>()
  useEffect(() => {
    if (outcome !== 'copied') return
    const timer = setTimeout(() => setOutcome(undefined), SAID_MS)
    return () => clearTimeout(timer)
  }, [outcome])
  const copy = async (): Promise<void> => {
    try {
      await navigator.clipboard.writeText(new URL(address, location.href).href)
      setOutcome('copied')
    } catch {
      setOutcome('refused')
    }
  }
  return (
    <>
      <button type="button" className="copy-link" onClick={copy}>
        <span>{outcome === 'copied' ? 'Copied' : 'Copy link'}</span>
      </button>
      <span role="status" className={outcome === 'refused' ? 'badge' : 'visually-hidden'}>
        {outcome === 'copied' && 'Link copied.'}
        {outcome === 'refused' && 'Your browser blocked copying. Copy the link from the address bar.'}
      </span>
    </>
  )
}
