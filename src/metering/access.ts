/**
 * Who may do what. A key carries an organization and scopes; `admin` of the organization `default` runs the installation
 * and may act on every other one.
 */
import { hash, randomBytes, timingSafeEqual } from 'node:crypto'
import { laterBy, type MonotonicClock, type MonotonicMs } from '#model/clock.ts'
import { ServiceError } from '#model/errors.ts'
import type { EpochMs } from '#model/organization.ts'
import { type HostCheck, isLocalName } from './host-names.ts'
import type { ApiKey, KeyStore, Scope } from './ledger.ts'

export const DEFAULT_ORGANIZATION = 'default'

export type Principal = {
  readonly organizationId: string
  readonly scopes: readonly Scope[]
  /** May act on every organization and change what is common to all. */
  readonly isOperator: boolean
  /** What was shown; `nobody` where nothing is asked for. */
  readonly by: 'key' | 'session' | 'nobody'
}

/** What a key is found by: it names the key and does not let anybody use it. */
export type KeyHash = { readonly organizationId: string; readonly hash: Uint8Array }

/** A session of the dashboard: of a key, and with a name of its own, by which it can be ended before its time. */
export type SessionOfKey = KeyHash & { readonly id: string }

/** `keys`: every request needs one. `open`: whoever asks is the operator. */
export type AccessMode = 'keys' | 'open'

/** What a request says of itself: two of its headers, and the key whose session its cookie is of. */
export type Claim = {
  readonly authorization?: string | undefined
  readonly host?: string | undefined
  readonly session?: SessionOfKey | undefined
}

export type Access = {
  /** What is demanded of a request that comes now. */
  readonly mode: () => Promise<AccessMode>
  /** Whose request it is. Throws Unauthenticated or UnknownHost. */
  readonly authenticate: (claim: Claim) => Promise<Principal>
  /** For what is answered without a key: throws UnknownHost if the service is not one that others reach by any name they like. */
  readonly checkName: (host: string | undefined) => void
  /** What a key is found by. Throws Unauthenticated where it has not the form of a key. */
  readonly hashOf: (key: string) => KeyHash
  /** Whose key it is. Throws Unauthenticated. */
  readonly principalOf: (key: KeyHash) => Promise<Principal>
  /** Ends a session in this process at once and in others within seconds, whoever holds a copy of its cookie. */
  readonly endSession: (session: SessionOfKey) => Promise<void>
  /** The same as `authenticate` where it is remembered: costs no wait. */
  readonly recall: (claim: Claim) => Principal | undefined
  /** A new key: the secret is in `key` only and is not kept. */
  readonly createKey: (wanted: {
    readonly organizationId: string
    readonly name: string
    readonly scopes: readonly Scope[]
  }) => Promise<{ readonly key: string; readonly entry: ApiKey }>
  readonly listKeys: (organizationId: string) => Promise<readonly ApiKey[]>
  readonly revokeKey: (organizationId: string, id: string) => Promise<ApiKey | undefined>
}

export class Unauthenticated extends ServiceError {
  constructor(message: string) {
    super('unauthenticated', message)
  }
}

/** The name is none that the operator knows of: it may be that of a page elsewhere. */
export class UnknownHost extends ServiceError {
  constructor(host: string | undefined) {
    const name = JSON.stringify((host ?? '').slice(0, 200))
    super(
      'unknown_host',
      `The service answers this under localhost, an IP address or a name in ALLOWED_HOSTS or PUBLIC_URL, not under ${name}.`,
    )
  }
}

export type AccessNeeds = {
  readonly store: KeyStore
  /** `required`: keys even where there are none yet. `if-any`: keys once there was one. `none`: nobody is asked. */
  readonly demand: 'required' | 'if-any' | 'none'
  /** Unless keys are required: whether it answers to this name. */
  readonly answersTo: HostCheck
  readonly clock: () => EpochMs
  readonly now: MonotonicClock
}

const REMEMBERED_MS = 5000
const REMEMBERED_MAX = 10_000

const OPERATOR: Principal = {
  organizationId: DEFAULT_ORGANIZATION,
  scopes: ['admin'],
  isOperator: true,
  by: 'nobody',
}

export const createAccess = ({ store, demand, answersTo, clock, now }: AccessNeeds): Access => {
  /** By hash: the secret itself is not kept, and a lookup tells nothing about it by its time. */
  const known = new Map<string, { readonly principal: Principal; readonly until: MonotonicMs }>()
  let wasOpen: { readonly until: MonotonicMs } | undefined
  let isEverKeyed = demand === 'required'

  const mode = async (): Promise<AccessMode> => {
    if (demand === 'none') return 'open'
    if (isEverKeyed) return 'keys'
    if (wasOpen !== undefined && now() < wasOpen.until) return 'open'
    isEverKeyed = await store.any()
    wasOpen = isEverKeyed ? undefined : { until: laterBy(now(), REMEMBERED_MS) }
    return isEverKeyed ? 'keys' : 'open'
  }

  const recall = ({ authorization, host }: Claim): Principal | undefined => {
    if (demand === 'none') return answersTo(host) ? OPERATOR : undefined
    if (!isEverKeyed && wasOpen !== undefined && now() < wasOpen.until) return isLocalName(host) ? OPERATOR : undefined
    const key = keyIn(authorization)
    return key === undefined ? undefined : remembered(hash('sha256', key, 'latin1'))
  }

  const remembered = (name: string): Principal | undefined => {
    const entry = known.get(name)
    return entry !== undefined && now() < entry.until ? entry.principal : undefined
  }

  const hashOf = (key: string): KeyHash => {
    const organizationId = organizationIn(key)
    if (organizationId === undefined) throw new Unauthenticated('this is not an API key: keys begin with cck_')
    return { organizationId, hash: hash('sha256', key, 'buffer') }
  }

  const principalOf = async ({ organizationId, hash: digest }: KeyHash): Promise<Principal> => {
    const name = Buffer.from(digest).toString('latin1')
    const found = remembered(name)
    if (found !== undefined) return found
    const entry = await store.find(organizationId, digest)
    const isValid = entry !== undefined && entry.revokedAt === undefined && timingSafeEqual(entry.hash, digest)
    if (!isValid) throw new Unauthenticated('the key is unknown or was revoked')
    const isOperator = organizationId === DEFAULT_ORGANIZATION && entry.scopes.includes('admin')
    const principal: Principal = { organizationId, scopes: entry.scopes, isOperator, by: 'key' }
    known.set(name, { principal, until: laterBy(now(), REMEMBERED_MS) })
    forgetOldest(known)
    return principal
  }

  /** A sign-out lies beside the keys, as one that was never good: so every process finds it, and it needs no table. */
  const signedOut = new Map<string, { readonly hasEnded: boolean; readonly until: MonotonicMs }>()

  const rememberSignedOut = (id: string, hasEnded: boolean): void => {
    // A lookup that began before the sign-out must not undo it.
    if (signedOut.get(id)?.hasEnded === true) return
    signedOut.set(id, { hasEnded, until: laterBy(now(), REMEMBERED_MS) })
    forgetOldest(signedOut)
  }

  const hasEnded = async ({ organizationId, id }: SessionOfKey): Promise<boolean> => {
    const entry = signedOut.get(id)
    if (entry !== undefined && (entry.hasEnded || now() < entry.until)) return entry.hasEnded
    const isKept = (await store.find(organizationId, signOutHash(id))) !== undefined
    rememberSignedOut(id, isKept)
    return isKept
  }

  const endSession = async (session: SessionOfKey): Promise<void> => {
    const { organizationId, id } = session
    if (!(await hasEnded(session))) {
      const entry = {
        id: `${SIGN_OUT}${id}`,
        organizationId,
        name: 'a session that was signed out',
        hash: signOutHash(id),
      }
      try {
        await store.create({ ...entry, scopes: ['usage:read'], createdAt: clock() })
      } catch (error) {
        // Another request may have signed it out meanwhile.
        if ((await store.find(organizationId, entry.hash)) === undefined) throw error
      }
      await store.revoke(organizationId, entry.id, clock())
    }
    rememberSignedOut(id, true)
  }

  const authenticate = async (claim: Claim): Promise<Principal> => {
    if ((await mode()) === 'open') {
      if (demand === 'none') {
        if (answersTo(claim.host)) return OPERATOR
        throw new UnknownHost(claim.host)
      }
      if (isLocalName(claim.host)) return OPERATOR
      throw new Unauthenticated(
        'without API keys the service answers to localhost, 127.0.0.1 and [::1] only: make a key, or set AUTH=none',
      )
    }
    const { authorization, session } = claim
    const recalled = recall(claim)
    if (recalled !== undefined) return recalled
    if (authorization === undefined) {
      if (session !== undefined) {
        if (await hasEnded(session)) throw new Unauthenticated('the session was signed out: sign in again')
        return { ...(await principalOf(session)), by: 'session' }
      }
      throw new Unauthenticated('send an API key: Authorization: Bearer cck_…')
    }
    const key = keyIn(authorization)
    if (key === undefined || organizationIn(key) === undefined) {
      throw new Unauthenticated('the header Authorization must be "Bearer" and a key that begins with cck_')
    }
    return principalOf(hashOf(key))
  }

  return {
    mode,
    authenticate,
    checkName: (host) => {
      if (demand !== 'required' && !answersTo(host)) throw new UnknownHost(host)
    },
    hashOf,
    principalOf,
    endSession,
    recall,
    createKey: async ({ organizationId, name, scopes }) => {
      const key = `${PREFIX}${organizationId}_${randomBytes(32).toString('base64url')}`
      const entry: ApiKey = {
        id: `key_${randomBytes(9).toString('base64url').replace(/[-_]/g, '0')}`,
        organizationId,
        name,
        scopes,
        createdAt: clock(),
        hash: hash('sha256', key, 'buffer'),
      }
      await store.create(entry)
      isEverKeyed = demand !== 'none'
      wasOpen = undefined
      return { key, entry }
    },
    listKeys: async (organizationId) => (await store.list(organizationId)).filter(({ id }) => !id.startsWith(SIGN_OUT)),
    revokeKey: async (organizationId, id) => {
      if (id.startsWith(SIGN_OUT)) return undefined
      const revoked = await store.revoke(organizationId, id, clock())
      if (revoked !== undefined) known.delete(Buffer.from(revoked.hash).toString('latin1'))
      return revoked
    },
  }
}

/** Forgetting costs a lookup, never an answer. */
const forgetOldest = (remembered: Map<string, unknown>): void => {
  for (const oldest of remembered.keys()) {
    if (remembered.size <= REMEMBERED_MAX) break
    remembered.delete(oldest)
  }
}

/** What the ids of sign-outs begin with; those of keys begin with `key_`. */
const SIGN_OUT = 'out_'

/** No key has this hash: every key begins with `cck_`. */
const signOutHash = (sessionId: string): Uint8Array => hash('sha256', `${SIGN_OUT}${sessionId}`, 'buffer')

const PREFIX = 'cck_'

const keyIn = (authorization: string | undefined): string | undefined =>
  /^Bearer +(\S+)$/i.exec(authorization ?? '')?.[1]

/** Whether what is shown has the form of a key. */
export const hasKey = (authorization: string | undefined): boolean =>
  organizationIn(keyIn(authorization) ?? '') !== undefined

/** A key names its organization, so that it is looked up where the organization is. */
const organizationIn = (key: string): string | undefined => /^cck_([a-z0-9-]+)_[\w-]{43}$/.exec(key)?.[1]

export const mayDo = ({ scopes }: Principal, scope: Scope): boolean =>
  scopes.includes(scope) || scopes.includes('admin')
