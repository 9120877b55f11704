/** Tries unpriced messages again in the background, one organization after the other, so that intake is not held up. */
import type { OrganizationStore } from '#ledger/ledger.ts'
import type { Organization } from '#model/organization.ts'
import type { Repriced, Repricing } from './repricing.ts'

export type BackgroundRepricing = {
  /** Of one organization, or of all. What could not be tried on an earlier occasion is tried too. */
  readonly start: (organizationId?: string) => void
  /** Resolves once everything that was started has been tried. */
  readonly finished: () => Promise<void>
  /** Resolves once no message is tried any more. What was not is tried on the next occasion, or by `reprice`. */
  readonly close: () => Promise<void>
}

export type RepricingOutcome = { readonly organizationId?: string } & (Repriced | { readonly error: unknown })

type Needs = {
  readonly repricing: Repricing
  readonly organizations: Pick<OrganizationStore, 'list'>
  readonly findOrganization: (id: string) => Promise<Organization | undefined>
  readonly observe: (outcome: RepricingOutcome) => void
}

const ORGANIZATIONS_PER_PAGE = 100
const ALL = Symbol('all organizations')

export const createBackgroundRepricing = (needs: Needs): BackgroundRepricing => {
  const { repricing, organizations, findOrganization, observe } = needs
  const closing = new AbortController()
  const { signal } = closing
  const waiting = new Set<string | typeof ALL>()
  const failed = new Set<string | typeof ALL>()
  let running: Promise<void> | undefined

  const tryOne = async (id: string): Promise<void> => {
    try {
      const organization = await findOrganization(id)
      if (organization === undefined) return
      const repriced = await repricing.reprice(organization, { signal })
      if (repriced.tried > 0) observe({ organizationId: id, ...repriced })
    } catch (error) {
      if (signal.aborted) return
      failed.add(id)
      observe({ organizationId: id, error })
    }
  }

  const tryAll = async (): Promise<void> => {
    try {
      for (let after: string | undefined = ''; after !== undefined && !signal.aborted; ) {
        const page = await organizations.list({ limit: ORGANIZATIONS_PER_PAGE, ...(after !== '' && { after }) })
        for (const { id } of page) if (!signal.aborted) await tryOne(id)
        after = page.length < ORGANIZATIONS_PER_PAGE ? undefined : page.at(-1)?.id
      }
    } catch (error) {
      failed.add(ALL)
      observe({ error })
    }
  }

  const run = async (): Promise<void> => {
    for (let [next] = waiting; next !== undefined && !signal.aborted; [next] = waiting) {
      waiting.delete(next)
      await (next === ALL ? tryAll() : tryOne(next))
    }
    running = undefined
  }

  return {
    start: (organizationId) => {
      for (const each of failed) waiting.add(each)
      failed.clear()
      if (organizationId === undefined) waiting.add(ALL)
      else waiting.add(organizationId)
      // Deferred, because a run that ends at once would reset `running` before it is set.
      running ??= Promise.resolve().then(run)
    },
    finished: async () => {
      await running
    },
    close: async () => {
      closing.abort()
      await running
    },
  }
}
