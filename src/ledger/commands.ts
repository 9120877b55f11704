/**
 * Commands to the ledger: plain data, so that they can be sent to another thread. What follows from each is decided by pure
 * functions in `#deciding/deciders.ts`.
 */
import type { CardAssignment } from '#model/cards-in-force.ts'
import type { EpochMs, Organization } from '#model/organization.ts'

/** The fields of each command, and its outcome. All are about one organization. */
export type Commands = {
  /** Undefined if the id is taken. */
  'create-organization': {
    readonly fields: { readonly organization: Organization }
    readonly outcome: Organization | undefined
  }
  /**
   * A time zone or anchor day takes effect at a later period boundary; no period moves that has begun by `latest` or has usage.
   * Undefined if there is no such organization.
   */
  'change-organization': {
    readonly fields: {
      readonly name?: string
      readonly timeZone?: string
      readonly anchorDay?: number
      readonly latest: EpochMs
    }
    readonly outcome: Organization | undefined
  }
  /** Gives an organization that has no creation time one, with its first calendar. Any other stays as it is. */
  'set-up-organization': {
    readonly fields: { readonly createdAt: EpochMs; readonly timeZone: string; readonly anchorDay: number }
    readonly outcome: Organization | undefined
  }
  /** False if the organization has a key with that id or hash. */
  'create-key': { readonly fields: { readonly key: ApiKey }; readonly outcome: boolean }
  /** The revoked key, or undefined if there is none. A key that was already revoked does not change. */
  'revoke-key': {
    readonly fields: { readonly keyId: string; readonly at: EpochMs }
    readonly outcome: ApiKey | undefined
  }
  /**
   * From now on, messages from before `until` become adjustments in the period that starts then. Resolves to the mark, which
   * never moves back.
   */
  close: { readonly fields: { readonly until: EpochMs }; readonly outcome: EpochMs }
  /** Undefined if there is no such organization. Whoever gives this command has made sure that the card exists. */
  'use-rate-card': { readonly fields: CardUse; readonly outcome: UsedCards | undefined }
}

/** From an instant on. Replaces another card that is used in the same way from the same instant. */
export type CardUse =
  /** For all messages; without an instant, for all that is not closed. */
  | { readonly version: string; readonly from?: EpochMs; readonly for?: never }
  /** For messages of what is closed from the instant on, if the card in force does not price them. */
  | { readonly version: string; readonly from: EpochMs; readonly for: 'unpriced' }

/**
 * What is in force then. Or nothing has changed: the instant is in a closed period, or, if the card is for unpriced messages, in one
 * that is not closed.
 */
export type UsedCards = { readonly inForce: readonly CardAssignment[] } | { readonly closedUntil: EpochMs }

export type CommandKind = keyof Commands
export type Command<K extends CommandKind = CommandKind> = {
  [Kind in K]: { readonly kind: Kind } & Commands[Kind]['fields']
}[K]
export type Outcome<K extends CommandKind> = Commands[K]['outcome']

export const SCOPES = ['usage:read', 'messages:write', 'admin'] as const
export type Scope = (typeof SCOPES)[number]

/** An API key as stored, without its secret. */
export type ApiKey = {
  readonly id: string
  readonly organizationId: string
  readonly name: string
  readonly scopes: readonly Scope[]
  readonly createdAt: EpochMs
  readonly revokedAt?: EpochMs
  /** When it was last used, as far as that was written. */
  readonly usedAt?: EpochMs
  /** SHA-256 of the whole key. */
  readonly hash: Uint8Array
}
