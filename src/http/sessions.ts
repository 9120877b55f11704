/**
 * Dashboard sessions. The cookie, which scripts cannot read, holds an id, the hash of an API key and an expiry time, signed with
 * a secret of the installation. It does not hold the key itself, and any process can check it. Revoking the key or signing out
 * ends the session.
 */
import { randomBytes } from 'node:crypto'
import { fastifyCookie } from '@fastify/cookie'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { isKey, type KeyHash, type SessionOfKey } from '#identity/access.ts'
import { Forbidden } from '#model/errors.ts'
import type { EpochMs } from '#model/organization.ts'
import { keyIn } from './bearer.ts'
import { SESSION_COOKIE } from './openapi.ts'

export type Sessions = {
  /** The session of the request. Undefined if there is none, its signature is wrong, or it has expired. */
  readonly read: (cookieHeader: string | undefined) => SessionOfKey | undefined
  /** The `Set-Cookie` value that starts a session. */
  readonly begin: (request: FastifyRequest, key: KeyHash) => string
  /** The `Set-Cookie` values that end a session. */
  readonly end: (request: FastifyRequest) => string[]
}

export type SessionsNeeds = {
  readonly secret: string
  readonly lifetimeMs: number
  readonly clock: () => EpochMs
  /** An application on which the cookie plugin is registered. */
  readonly cookies: Pick<FastifyInstance, 'parseCookie' | 'serializeCookie'>
}

/** Browsers accept a `__Host-` cookie only from this host and over https, so a sibling domain cannot plant its own. */
const SECURE_NAME = `__Host-${SESSION_COOKIE}`

export const createSessions = ({ secret, lifetimeMs, clock, cookies }: SessionsNeeds): Sessions => {
  const signer = fastifyCookie.signerFactory(secret)

  const cookie = (name: string, value: string, maxAgeMs: number, secure: boolean): string =>
    cookies.serializeCookie(name, value, {
      path: '/',
      httpOnly: true,
      sameSite: 'strict',
      secure,
      maxAge: Math.ceil(maxAgeMs / 1000),
    })

  return {
    read: (cookieHeader) => {
      if (cookieHeader === undefined) return undefined
      const sent = cookies.parseCookie(cookieHeader)
      const { value } = signer.unsign(sent[SECURE_NAME] ?? sent[SESSION_COOKIE] ?? '')
      const [organizationId, hash, id, until] = value?.split('.') ?? []
      if (organizationId === undefined || hash === undefined || id === undefined) return undefined
      return Number(until) > clock() ? { organizationId, hash: Buffer.from(hash, 'hex'), id } : undefined
    },
    begin: (request, { organizationId, hash }) => {
      const id = randomBytes(16).toString('base64url')
      const value = [organizationId, Buffer.from(hash).toString('hex'), id, clock() + lifetimeMs].join('.')
      const isSecure = !isPlain(request)
      return cookie(isSecure ? SECURE_NAME : SESSION_COOKIE, signer.sign(value), lifetimeMs, isSecure)
    },
    end: (request) => [cookie(SECURE_NAME, '', 0, true), cookie(SESSION_COOKIE, '', 0, !isPlain(request))],
  }
}

/** Whether the browser uses plain HTTP. Origin says so even behind a proxy that terminates TLS; without it, assume https. */
const isPlain = ({ headers }: FastifyRequest): boolean => headers.origin?.startsWith('http://') === true

/**
 * Guards against cross-site request forgery: throws Forbidden if a page of another site or port makes a browser send a change.
 * A request with an API key is always allowed, because only its sender can add one; a browser or proxy adds other kinds of
 * authorization by itself. A request without Origin, Sec-Fetch-Site and cookies does not come from a page and is allowed.
 * `publicUrl` is the address of our own pages, in case a proxy changes Host.
 */
export const createSiteGuard =
  (publicUrl: URL | undefined) =>
  ({ method, headers }: FastifyRequest): void => {
    const { host, origin, cookie, authorization } = headers
    if (method === 'GET' || method === 'HEAD' || isKey(keyIn(authorization) ?? '')) return
    const site = headers['sec-fetch-site']
    if (site !== undefined) {
      if (site !== 'same-origin' && site !== 'none') throw new Forbidden(ONLY_OWN_PAGES)
      return
    }
    if (origin === undefined) {
      if (cookie !== undefined) throw new Forbidden(ONLY_OWN_PAGES)
      return
    }
    const page = URL.parse(origin)
    if (origin === publicUrl?.origin || (host !== undefined && page?.host === host)) return
    throw new Forbidden(page === null || host === undefined ? ONLY_OWN_PAGES : hostDiffers(page, host))
  }

const ONLY_OWN_PAGES = "Without an API key, only the service's own pages can make changes."

/** Written for our own page behind a misconfigured proxy. A page of another site cannot read the response. */
const hostDiffers = ({ origin }: URL, host: string): string =>
  `${ONLY_OWN_PAGES} This page is at ${origin.slice(0, 200)}, but the request arrived with Host ${host.slice(0, 200)}. ` +
  "If a proxy changes the Host header, configure it to keep Host, or set PUBLIC_URL to this page's address."
