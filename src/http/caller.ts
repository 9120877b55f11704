/** Whose request it is and which organization it is about. */
import type { FastifyRequest } from 'fastify'
import { type Access, type KeyHash, mayDo, type Principal } from '#metering/access.ts'
import type { Scope } from '#metering/ledger.ts'
import type { Organizations } from '#metering/organizations.ts'
import { Forbidden, NotFound } from '#model/errors.ts'
import type { Organization } from '#model/organization.ts'
import type { Sessions } from './sessions.ts'

export type Caller = { readonly principal: Principal; readonly organization: Organization }

export type CallerNeeds = {
  readonly access: Access
  readonly organizations: Pick<Organizations, 'find'>
  readonly sessions: Pick<Sessions, 'read'>
}

/**
 * Identifies callers, in two steps. The caller is authenticated before anything else of a request is read: each route has one
 * of the hooks `may` and `mayOperate`, which throw Unauthenticated or Forbidden. The organization is named in the query and is
 * looked up with it: `identify` throws NotFound for one that the caller may not know of.
 */
export const createCallers = ({ access, organizations, sessions }: CallerNeeds) => {
  const principals = new WeakMap<FastifyRequest, Principal>()

  const authenticate = async (request: FastifyRequest, scope: Scope): Promise<Principal> => {
    const { authorization, host, cookie } = request.headers
    const principal = await access.authenticate({ authorization, host, session: sessions.read(cookie) })
    checkScope(principal, scope)
    principals.set(request, principal)
    return principal
  }

  const may = (scope: Scope) => async (request: FastifyRequest) => {
    await authenticate(request, scope)
  }

  /** For what is common to all organizations. */
  const mayOperate = async (request: FastifyRequest) => {
    const { isOperator } = await authenticate(request, 'admin')
    if (!isOperator) {
      throw new Forbidden('This needs an admin key of the organization "default".')
    }
  }

  const identify = async (request: FastifyRequest): Promise<Caller> => {
    const principal = principals.get(request)
    if (principal === undefined)
      throw new Error(`${request.routeOptions.url} has no hook that authenticates its caller`)
    const asked = (request.query as { readonly organization?: unknown } | undefined)?.organization
    const id = typeof asked === 'string' ? asked : principal.organizationId
    const isAllowed = id === principal.organizationId || principal.isOperator
    const organization = isAllowed ? await organizations.find(id) : undefined
    if (organization === undefined) throw new NotFound(`there is no organization ${JSON.stringify(id.slice(0, 100))}`)
    return { principal, organization }
  }

  /** Whose key it is. */
  const identifyKey = async (key: KeyHash, scope: Scope): Promise<Principal> => {
    const principal = await access.principalOf(key)
    checkScope(principal, scope)
    return principal
  }

  return { may, mayOperate, identify, identifyKey }
}

const checkScope = (principal: Principal, scope: Scope): void => {
  if (!mayDo(principal, scope)) throw new Forbidden(`This key needs the scope ${scope}.`)
}

export type Callers = ReturnType<typeof createCallers>
