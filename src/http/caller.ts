/** Whose request it is and which organization it is about. */
import type { FastifyRequest } from 'fastify'
import { type Access, type KeyHash, mayDo, type Principal } from '#metering/access.ts'
import type { Scope } from '#metering/ledger.ts'
import type { Organizations } from '#metering/organizations.ts'
import { NotFound, ServiceError } from '#model/errors.ts'
import type { Organization } from '#model/organization.ts'
import type { Sessions } from './sessions.ts'

export type Caller = { readonly principal: Principal; readonly organization: Organization }

/** The key is good and does not allow this. */
export class Forbidden extends ServiceError {
  constructor(message: string) {
    super('forbidden', message)
  }
}

export type CallerNeeds = {
  readonly access: Access
  readonly organizations: Pick<Organizations, 'find'>
  readonly sessions: Pick<Sessions, 'read'>
}

/** Identifies callers. Throws Unauthenticated, Forbidden, or NotFound for an organization that they may not know of. */
export const createCallers = ({ access, organizations, sessions }: CallerNeeds) => {
  const identify = async ({ headers, query }: FastifyRequest, scope: Scope): Promise<Caller> => {
    const { authorization, host, cookie } = headers
    const principal = await access.authenticate({ authorization, host, session: sessions.read(cookie) })
    checkScope(principal, scope)
    const asked = (query as { readonly organization?: unknown } | undefined)?.organization
    const id = typeof asked === 'string' ? asked : principal.organizationId
    const isAllowed = id === principal.organizationId || principal.isOperator
    const organization = isAllowed ? await organizations.find(id) : undefined
    if (organization === undefined) throw new NotFound(`there is no organization ${JSON.stringify(id.slice(0, 100))}`)
    return { principal, organization }
  }

  /** For what is common to all organizations. */
  const identifyOperator = async (request: FastifyRequest): Promise<Caller> => {
    const caller = await identify(request, 'admin')
    if (!caller.principal.isOperator) {
      throw new Forbidden('This needs an admin key of the organization "default".')
    }
    return caller
  }

  /** Whose key it is. */
  const identifyKey = async (key: KeyHash, scope: Scope): Promise<Principal> => {
    const principal = await access.principalOf(key)
    checkScope(principal, scope)
    return principal
  }

  return { identify, identifyOperator, identifyKey }
}

const checkScope = (principal: Principal, scope: Scope): void => {
  if (!mayDo(principal, scope)) throw new Forbidden(`This key needs the scope ${scope}.`)
}

export type Callers = ReturnType<typeof createCallers>
