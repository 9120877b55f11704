/**
 * Sessions of the dashboard. A cookie that scripts cannot read names the hash of an API key and the moment at which it
 * ends, signed with a secret of the installation: it holds no key, any process can check it, and it ends with its key.
 */
import { fastifyCookie } from '@fastify/cookie'
import type { FastifyRequest } from 'fastify'
import type { KeyHash } from '#metering/access.ts'
import type { EpochMs } from '#model/organization.ts'
import { Forbidden } from './caller.ts'

export type Sessions = {
  /** Whose session the request belongs to, or undefined: there is none, it was not made here, or it has ended. */
  readonly read: (cookieHeader: string | undefined) => KeyHash | undefined
  /** The value of `Set-Cookie` that begins a session. */
  readonly begin: (request: FastifyRequest, key: KeyHash) => string
  /** The value of `Set-Cookie` that ends it. */
  readonly end: (request: FastifyRequest) => string
}

export type SessionsNeeds = {
  readonly secret: string
  readonly lifetimeMs: number
  readonly clock: () => EpochMs
}

const NAME = 'copilot_credits_session'

export const createSessions = ({ secret, lifetimeMs, clock }: SessionsNeeds): Sessions => {
  const signer = fastifyCookie.signerFactory(secret)

  const cookie = (request: FastifyRequest, value: string, maxAgeMs: number): string =>
    fastifyCookie.serialize(NAME, value, {
      path: '/',
      httpOnly: true,
      sameSite: 'strict',
      // As the browser sees it: what stands between may have ended the encryption.
      secure: request.headers.origin?.startsWith('https://') === true,
      maxAge: Math.floor(maxAgeMs / 1000),
    })

  return {
    read: (cookieHeader) => {
      if (cookieHeader === undefined) return undefined
      const { value } = signer.unsign(fastifyCookie.parse(cookieHeader)[NAME] ?? '')
      const [organizationId, hash, until] = value?.split('.') ?? []
      if (organizationId === undefined || hash === undefined || !(Number(until) > clock())) return undefined
      return { organizationId, hash: Buffer.from(hash, 'hex') }
    },
    begin: (request, { organizationId, hash }) => {
      const value = [organizationId, Buffer.from(hash).toString('hex'), clock() + lifetimeMs].join('.')
      return cookie(request, signer.sign(value), lifetimeMs)
    },
    end: (request) => cookie(request, '', 0),
  }
}

/**
 * Throws Forbidden where a page of another site or port makes a browser change something in the name of who looks at it. A
 * request with a key is nobody's but its sender's; one that no browser sent says nothing of where it comes from.
 */
export const refuseOtherSites = ({ method, headers }: FastifyRequest): void => {
  if (method === 'GET' || method === 'HEAD' || headers.authorization !== undefined) return
  const { host, origin, cookie } = headers
  const site = headers['sec-fetch-site']
  const isOwn =
    site !== undefined
      ? site === 'same-origin' || site === 'none'
      : origin !== undefined
        ? URL.parse(origin)?.host === host
        : cookie === undefined
  if (!isOwn) throw new Forbidden('without a key, only pages of the service itself may change anything')
}
