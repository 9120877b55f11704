/** Identifies the caller of a request and the organization that the request is about. */
import type { FastifyRequest } from 'fastify'
import { type Access, type KeyHash, mayDo, type Principal } from '#identity/access.ts'
import type { Organizations } from '#identity/organizations.ts'
import type { Scope } from '#ledger/commands.ts'
import { Forbidden, NotFound } from '#model/errors.ts'
import type { Organization } from '#model/organization.ts'
import { aboutHeader, keyIn } from './bearer.ts'
import type { Sessions } from './sessions.ts'

export type Caller = { readonly principal: Principal; readonly organization: Organization }

export type CallerNeeds = {
  readonly access: Access
  readonly organizations: Pick<Organizations, 'find'>
  readonly sessions: Pick<Sessions, 'read'>
}

/**
 * Identifies callers in two steps. First, the hook `may` or `mayOperate` of each route authenticates the caller, before the
 * query and the body are read; it throws Unauthenticated or Forbidden. Then `identify` looks up the organization that the query
 * names, or else the key's own; it throws NotFound if there is none or if the caller must not know about it. `meaning` has only
 * the id of that organization, and does not need the store.
 */
export const createCallers = ({ access, organizations, sessions }: CallerNeeds) => {
  const principals = new WeakMap<FastifyRequest, Principal>()

  const authenticate = async (request: FastifyRequest, ...scopes: readonly Scope[]): Promise<Principal> => {
    const { authorization, host, cookie } = request.headers
    const claim = { key: keyIn(authorization), host, session: sessions.read(cookie) }
    const principal = await access.authenticate(claim).catch((error: unknown) => {
      throw aboutHeader(error)
    })
    checkScope(principal, scopes)
    principals.set(request, principal)
    return principal
  }

  /** One of the scopes is enough. */
  const may =
    (...scopes: readonly Scope[]) =>
    async (request: FastifyRequest) => {
      await authenticate(request, ...scopes)
    }

  /** For resources that all organizations share. */
  const mayOperate = async (request: FastifyRequest) => {
    const { isOperator } = await authenticate(request, 'admin')
    if (!isOperator) {
      throw new Forbidden('This requires an operator key: a key of the organization "default" with the scope admin.')
    }
  }

  const meaning = (request: FastifyRequest): { readonly principal: Principal; readonly id: string } => {
    const principal = principals.get(request)
    if (principal === undefined)
      throw new Error(`${request.routeOptions.url} has no hook that authenticates its caller`)
    const named = (request.query as { readonly organization?: unknown } | undefined)?.organization
    const id = typeof named === 'string' ? named : principal.organizationId
    if (id !== principal.organizationId && !principal.isOperator) throw noOrganization(id)
    return { principal, id }
  }

  /** For callers who may know about all organizations. Throws NotFound. */
  const find = async (id: string): Promise<Organization> => {
    const organization = await organizations.find(id)
    if (organization === undefined) throw noOrganization(id)
    return organization
  }

  const identify = async (request: FastifyRequest): Promise<Caller> => {
    const { principal, id } = meaning(request)
    return { principal, organization: await find(id) }
  }

  /** The owner of a key. Throws Unauthenticated or Forbidden. */
  const identifyKey = async (key: KeyHash, scope: Scope): Promise<Principal> => {
    const principal = await access.principalOf(key)
    checkScope(principal, [scope])
    return principal
  }

  return { may, mayOperate, meaning, find, identify, identifyKey }
}

const noOrganization = (id: string): NotFound =>
  new NotFound(`There is no organization ${JSON.stringify(id.slice(0, 100))}.`)

const checkScope = (principal: Principal, scopes: readonly Scope[]): void => {
  if (!scopes.some((scope) => mayDo(principal, scope)))
    throw new Forbidden(`The API key lacks the scope ${scopes.join(' or ')}.`)
}

export type Callers = ReturnType<typeof createCallers>
