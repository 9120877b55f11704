/**
 * Authentication and authorization. An API key belongs to an organization and carries scopes. A key of the organization
 * `default` with the scope `admin` is an operator's.
 */
import { hash, randomBytes, timingSafeEqual } from 'node:crypto'
import type { ApiKey, Scope } from '#ledger/commands.ts'
import type { Ledger } from '#ledger/ledger.ts'
import { laterBy, type MonotonicClock, type MonotonicMs } from '#model/clock.ts'
import { Forbidden, ServiceError } from '#model/errors.ts'
import { DEFAULT_ORGANIZATION, type EpochMs } from '#model/organization.ts'
import { createTimedCache } from '#model/timed-cache.ts'
import { type HostCheck, isLocalName } from './host-names.ts'

export type Principal = {
  readonly organizationId: string
  readonly scopes: readonly Scope[]
  /** Can act on every organization and change what all of them share. */
  readonly isOperator: boolean
  /** The credential that was presented; `nobody` if none is required. */
  readonly by: 'key' | 'session' | 'nobody'
  /** The key that was presented, or that opened the session. Absent if none is required. */
  readonly key?: Pick<ApiKey, 'id' | 'name'>
}

/** Identifies a key without granting its use. */
export type KeyHash = { readonly organizationId: string; readonly hash: Uint8Array }

/** A dashboard session: the key that opened it, and an id of its own by which it can be ended early. */
export type SessionOfKey = KeyHash & { readonly id: string }

/** `keys`: every request needs a key. `open`: every caller is the operator. */
export type AccessMode = 'keys' | 'open'

/** What a caller presents. */
export type Claim = {
  /** What it says is its key. */
  readonly key?: string | undefined
  /** The name under which it reached the service. */
  readonly host?: string | undefined
  readonly session?: SessionOfKey | undefined
}

export type Access = {
  /** Whether requests need a key at the moment. */
  readonly mode: () => Promise<AccessMode>
  /** Identifies the caller. Throws Unauthenticated or UnknownHost. */
  readonly authenticate: (claim: Claim) => Promise<Principal>
  /** For routes without authentication. Throws UnknownHost if the host name is not allowed. If keys are required, every name is. */
  readonly checkName: (host: string | undefined) => void
  /** Hashes a key for lookup. Throws NotAKey. */
  readonly hashOf: (key: string) => KeyHash
  /** Throws Unauthenticated if the key is unknown or revoked. */
  readonly principalOf: (key: KeyHash) => Promise<Principal>
  /** Ends a session, and every copy of it: in this process immediately, in others within seconds. */
  readonly endSession: (session: SessionOfKey) => Promise<void>
  /** Like `authenticate`, but from memory and without waiting; undefined if the caller is not cached. */
  readonly recall: (claim: Claim) => Principal | undefined
  /** The secret is in `key` only and is never stored. */
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

export class NoKey extends Unauthenticated {
  constructor() {
    super('An API key is required.')
  }
}

/** The text does not have the form of a key. */
export class NotAKey extends Unauthenticated {
  constructor() {
    super('This is not a complete API key. API keys begin with cck_.')
  }
}

/** The operator has not allowed this host name: a web page elsewhere may have pointed its own name at this machine. */
export class UnknownHost extends Forbidden {
  constructor(host: string | undefined) {
    const name = JSON.stringify((host ?? '').slice(0, 200))
    super(
      `The host name ${name} is not allowed. Use localhost, an IP address, or a name in ALLOWED_HOSTS or PUBLIC_URL.`,
    )
  }
}

export type AccessNeeds = {
  readonly ledger: Pick<Ledger, 'keys' | 'decide'>
  /** `required`: always a key. `if-any`: a key once the first one exists. `none`: never a key. */
  readonly demand: 'required' | 'if-any' | 'none'
  /** Whether a host name is allowed. Not consulted if keys are required. */
  readonly answersTo: HostCheck
  readonly clock: () => EpochMs
  readonly now: MonotonicClock
}

const CACHED_MS = 5000
const CACHED_MIN = 10_000
/** How exact the time is at which a key was last used. */
const USE_WRITTEN_EVERY_MS = 5 * 60_000

const OPERATOR: Principal = {
  organizationId: DEFAULT_ORGANIZATION,
  scopes: ['admin'],
  isOperator: true,
  by: 'nobody',
}

export const createAccess = ({ ledger, demand, answersTo, clock, now }: AccessNeeds): Access => {
  /** Keyed by hash, so that secrets are not kept and the time of a lookup reveals nothing about them. */
  const known = createTimedCache<string, Principal>({ lifetimeMs: CACHED_MS, entriesMin: CACHED_MIN, now })
  let wasOpen: { readonly until: MonotonicMs } | undefined
  let requiresKey = demand === 'required'

  const mode = async (): Promise<AccessMode> => {
    if (demand === 'none') return 'open'
    if (requiresKey) return 'keys'
    if (wasOpen !== undefined && now() < wasOpen.until) return 'open'
    requiresKey = await ledger.keys.any()
    wasOpen = requiresKey ? undefined : { until: laterBy(now(), CACHED_MS) }
    return requiresKey ? 'keys' : 'open'
  }

  const recall = ({ key, host }: Claim): Principal | undefined => {
    if (demand === 'none') return answersTo(host) ? OPERATOR : undefined
    if (!requiresKey && wasOpen !== undefined && now() < wasOpen.until) return isLocalName(host) ? OPERATOR : undefined
    return key === undefined ? undefined : known.get(hash('sha256', key, 'latin1'))
  }

  const hashOf = (key: string): KeyHash => {
    const organizationId = organizationIn(key)
    if (organizationId === undefined) throw new NotAKey()
    return { organizationId, hash: hash('sha256', key, 'buffer') }
  }

  /** Nobody waits for it, and nobody is refused if it cannot be written. */
  const noteUse = ({ organizationId, hash: digest, usedAt = Number.NEGATIVE_INFINITY }: ApiKey): void => {
    const time = clock()
    if (time - usedAt >= USE_WRITTEN_EVERY_MS) ledger.keys.used(organizationId, digest, time).catch(() => {})
  }

  const principalOf = async ({ organizationId, hash: digest }: KeyHash): Promise<Principal> => {
    const name = Buffer.from(digest).toString('latin1')
    const found = known.get(name)
    if (found !== undefined) return found
    const entry = await ledger.keys.find(organizationId, digest)
    const isValid = entry !== undefined && entry.revokedAt === undefined && timingSafeEqual(entry.hash, digest)
    if (!isValid) throw new Unauthenticated('The API key is unknown or was revoked.')
    noteUse(entry)
    const isOperator = organizationId === DEFAULT_ORGANIZATION && entry.scopes.includes('admin')
    const key = { id: entry.id, name: entry.name }
    return known.set(name, { organizationId, scopes: entry.scopes, isOperator, by: 'key', key })
  }

  /** A sign-out is stored as a key that never worked: every process finds it, and it needs no table of its own. */
  const signedOut = createTimedCache<string, boolean>({ lifetimeMs: CACHED_MS, entriesMin: CACHED_MIN, now })

  const hasEnded = async ({ organizationId, id }: SessionOfKey): Promise<boolean> => {
    const known = signedOut.get(id)
    if (known !== undefined) return known
    const isKept = (await ledger.keys.find(organizationId, signOutHash(id))) !== undefined
    // A lookup that began before the sign-out must not undo it.
    if (signedOut.get(id) !== true) signedOut.set(id, isKept, isKept ? Number.POSITIVE_INFINITY : CACHED_MS)
    return isKept
  }

  const endSession = async (session: SessionOfKey): Promise<void> => {
    const { organizationId, id } = session
    if (!(await hasEnded(session))) {
      const time = clock()
      const key: ApiKey = {
        id: `${SIGN_OUT}${id}`,
        organizationId,
        name: 'a session that was signed out',
        scopes: ['usage:read'],
        createdAt: time,
        revokedAt: time,
        hash: signOutHash(id),
      }
      await ledger.decide(organizationId, { kind: 'create-key', key })
    }
    signedOut.set(id, true, Number.POSITIVE_INFINITY)
  }

  const authenticate = async (claim: Claim): Promise<Principal> => {
    if ((await mode()) === 'open') {
      if (demand === 'none') {
        if (answersTo(claim.host)) return OPERATOR
        throw new UnknownHost(claim.host)
      }
      if (isLocalName(claim.host)) return OPERATOR
      throw new Unauthenticated(
        'Without API keys, the service accepts requests only at localhost, 127.0.0.1 and [::1]. Create a key, or set AUTH=none.',
      )
    }
    const { key, session } = claim
    const recalled = recall(claim)
    if (recalled !== undefined) return recalled
    if (key !== undefined) return principalOf(hashOf(key))
    if (session === undefined) throw new NoKey()
    if (await hasEnded(session)) throw new Unauthenticated('The session has ended. Sign in again.')
    return { ...(await principalOf(session)), by: 'session' }
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
      await ledger.decide(organizationId, { kind: 'create-key', key: entry })
      requiresKey = demand !== 'none'
      wasOpen = undefined
      return { key, entry }
    },
    listKeys: async (organizationId) =>
      (await ledger.keys.list(organizationId)).filter(({ id }) => !id.startsWith(SIGN_OUT)),
    revokeKey: async (organizationId, id) => {
      if (id.startsWith(SIGN_OUT)) return undefined
      const revoked = await ledger.decide(organizationId, { kind: 'revoke-key', keyId: id, at: clock() })
      if (revoked !== undefined) known.delete(Buffer.from(revoked.hash).toString('latin1'))
      return revoked
    },
  }
}

/** Prefix of the ids of sign-outs. Ids of keys begin with `key_`. */
const SIGN_OUT = 'out_'

/** No key has this hash: every key begins with `cck_`. */
const signOutHash = (sessionId: string): Uint8Array => hash('sha256', `${SIGN_OUT}${sessionId}`, 'buffer')

const PREFIX = 'cck_'

/** Whether the text has the form of a key. */
export const isKey = (text: string): boolean => organizationIn(text) !== undefined

/** A key names its organization, so that only that organization's keys are searched. */
const organizationIn = (key: string): string | undefined => /^cck_([a-z0-9-]+)_[\w-]{43}$/.exec(key)?.[1]

export const mayDo = ({ scopes }: Principal, scope: Scope): boolean =>
  scopes.includes(scope) || scopes.includes('admin')
