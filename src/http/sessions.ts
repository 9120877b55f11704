/**
 * Sessions of the dashboard. A cookie that scripts cannot read names the hash of an API key and the moment at which it
 * ends, signed with a secret of the installation: it holds no key, any process can check it, and it ends with its key or a sign-out.
 */
import { randomBytes } from 'node:crypto'
import { fastifyCookie } from '@fastify/cookie'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { hasKey, type KeyHash, type SessionOfKey } from '#metering/access.ts'
import { Forbidden } from '#model/errors.ts'
import type { EpochMs } from '#model/organization.ts'

export type Sessions = {
  /** The session that the request belongs to, or undefined: there is none, it was not made here, or its time is up. */
  readonly read: (cookieHeader: string | undefined) => SessionOfKey | undefined
  /** The value of `Set-Cookie` that begins a session. */
  readonly begin: (request: FastifyRequest, key: KeyHash) => string
  /** The values of `Set-Cookie` that end it. */
  readonly end: (request: FastifyRequest) => string[]
}

export type SessionsNeeds = {
  readonly secret: string
  readonly lifetimeMs: number
  readonly clock: () => EpochMs
  /** An application with the plugin: parsing and writing work only once it has been registered. */
  readonly cookies: Pick<FastifyInstance, 'parseCookie' | 'serializeCookie'>
}

const NAME = 'copilot_credits_session'
/** Browsers take it from this very host and over https only: no neighbouring host can put its own in its place. */
const SECURE_NAME = `__Host-${NAME}`

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
      const { value } = signer.unsign(sent[SECURE_NAME] ?? sent[NAME] ?? '')
      const [organizationId, hash, id, until] = value?.split('.') ?? []
      if (organizationId === undefined || hash === undefined || id === undefined) return undefined
      return Number(until) > clock() ? { organizationId, hash: Buffer.from(hash, 'hex'), id } : undefined
    },
    begin: (request, { organizationId, hash }) => {
      const id = randomBytes(16).toString('base64url')
      const value = [organizationId, Buffer.from(hash).toString('hex'), id, clock() + lifetimeMs].join('.')
      const isSecure = !isPlain(request)
      return cookie(isSecure ? SECURE_NAME : NAME, signer.sign(value), lifetimeMs, isSecure)
    },
    end: (request) => [cookie(SECURE_NAME, '', 0, true), cookie(NAME, '', 0, !isPlain(request))],
  }
}

/** As the browser sees it: what stands between may have ended the encryption. What does not say is taken for encrypted. */
const isPlain = ({ headers }: FastifyRequest): boolean => headers.origin?.startsWith('http://') === true

/**
 * Throws Forbidden if a page of another site or port makes a browser change something in the name of whoever looks at it. A
 * request with a key is nobody's but its sender's; other authorization a browser, or a proxy that knows it, adds by itself.
 * What no browser sent says nothing of where it comes from. `publicUrl` is where our own pages are, if Host does not say so.
 */
export const createSiteGuard =
  (publicUrl: URL | undefined) =>
  ({ method, headers }: FastifyRequest): void => {
    const { host, origin, cookie, authorization } = headers
    if (method === 'GET' || method === 'HEAD' || hasKey(authorization)) return
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

/** It is said to the page itself; a page elsewhere cannot read it. */
const hostDiffers = ({ origin }: URL, host: string): string =>
  `${ONLY_OWN_PAGES} This page is at ${origin.slice(0, 200)}, but the request arrived with Host ${host.slice(0, 200)}. ` +
  "If a proxy changes the Host header, configure it to keep Host, or set PUBLIC_URL to this page's address."
