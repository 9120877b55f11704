/**
 * What follows from each command: pure functions of the state that they need. A store loads the state, calls the decider, and
 * writes what it returns, all in one transaction that no other command of the organization overlaps.
 */
import { changedCalendar } from '#calendar/periods.ts'
import type { ApiKey, Command, CommandKind, Outcome } from '#ledger/commands.ts'
import type { CardAssignment } from '#model/cards-in-force.ts'
import { CALENDAR_BEGINS, type EpochMs, type Organization } from '#model/organization.ts'
import { useCard } from './card-use.ts'

/** What a command needs to know. */
export type StateNeeds = {
  readonly organization?: true
  /** The key with this id, and any with this hash. */
  readonly key?: { readonly id: string; readonly hash?: Uint8Array }
  readonly latestDay?: true
  readonly closedUntil?: true
  readonly cards?: true
}

/** What was asked for. A field is absent if it was not asked for or does not exist. */
export type State = {
  readonly organization?: Organization
  readonly key?: ApiKey
  /** The start of the latest day that has messages. */
  readonly latestDay?: EpochMs
  readonly closedUntil?: EpochMs
  /** The rate cards that it uses. */
  readonly cards?: readonly CardAssignment[]
}

/** The organization of a write is that of the command. */
export type Write =
  | { readonly kind: 'new-organization'; readonly organization: Organization }
  | { readonly kind: 'organization'; readonly organization: Organization }
  | { readonly kind: 'new-key'; readonly key: ApiKey }
  | { readonly kind: 'revoked-key'; readonly keyId: string; readonly at: EpochMs }
  | { readonly kind: 'closed-until'; readonly at: EpochMs }
  | { readonly kind: 'used-card'; readonly assignment: CardAssignment }

export type Decision<T> = { readonly outcome: T; readonly writes: readonly Write[] }

type Decider<K extends CommandKind> = {
  readonly needs: (command: Command<K>) => StateNeeds
  readonly decide: (state: State, command: Command<K>) => Decision<Outcome<K>>
}

const ORGANIZATION: StateNeeds = { organization: true }

const nothing = <T>(outcome: T): Decision<T> => ({ outcome, writes: [] })

const isSame = (one: Organization, other: Organization): boolean => JSON.stringify(one) === JSON.stringify(other)

const changed = (organization: Organization): Decision<Organization> => ({
  outcome: organization,
  writes: [{ kind: 'organization', organization }],
})

const deciders: { readonly [K in CommandKind]: Decider<K> } = {
  'create-organization': {
    needs: () => ORGANIZATION,
    decide: ({ organization: existing }, { organization }) => {
      if (existing === undefined) {
        return { outcome: organization, writes: [{ kind: 'new-organization', organization }] }
      }
      // The same command again, whose answer was lost, must not find the id taken by itself.
      return nothing(isSame(existing, organization) ? existing : undefined)
    },
  },

  'change-organization': {
    needs: () => ({ organization: true, latestDay: true }),
    decide: ({ organization, latestDay }, { name, timeZone, anchorDay, latest }) => {
      if (organization === undefined) return nothing(undefined)
      const change = { ...(timeZone !== undefined && { timeZone }), ...(anchorDay !== undefined && { anchorDay }) }
      return changed({
        ...organization,
        name: name ?? organization.name,
        calendar:
          timeZone === undefined && anchorDay === undefined
            ? organization.calendar
            : changedCalendar(organization.calendar, change, Math.max(latest, latestDay ?? latest)),
      })
    },
  },

  'set-up-organization': {
    needs: () => ORGANIZATION,
    decide: ({ organization }, { createdAt, timeZone, anchorDay }) =>
      organization === undefined || organization.createdAt !== 0
        ? nothing(organization)
        : changed({
            ...organization,
            createdAt,
            calendar: [{ effectiveFrom: organization.calendar[0].effectiveFrom, timeZone, anchorDay }],
          }),
  },

  'create-key': {
    needs: ({ key: { id, hash } }) => ({ key: { id, hash } }),
    decide: ({ key: existing }, { key }) =>
      existing === undefined
        ? { outcome: true, writes: [{ kind: 'new-key', key }] }
        : nothing(existing.id === key.id && Buffer.compare(existing.hash, key.hash) === 0),
  },

  'revoke-key': {
    needs: ({ keyId }) => ({ key: { id: keyId } }),
    decide: ({ key }, { keyId, at }) =>
      key === undefined || key.revokedAt !== undefined
        ? nothing(key)
        : { outcome: { ...key, revokedAt: at }, writes: [{ kind: 'revoked-key', keyId, at }] },
  },

  close: {
    needs: () => ({ closedUntil: true }),
    decide: ({ closedUntil = CALENDAR_BEGINS }, { until }) =>
      until <= closedUntil ? nothing(closedUntil) : { outcome: until, writes: [{ kind: 'closed-until', at: until }] },
  },

  'use-rate-card': {
    needs: () => ({ organization: true, closedUntil: true, cards: true }),
    decide: ({ organization, closedUntil = CALENDAR_BEGINS, cards = [] }, use) => {
      if (organization === undefined) return nothing(undefined)
      const { outcome, added } = useCard(use, cards, closedUntil)
      return added === undefined ? nothing(outcome) : { outcome, writes: [{ kind: 'used-card', assignment: added }] }
    },
  },
}

export const needsOf = <K extends CommandKind>(command: Command<K>): StateNeeds => deciderOf(command).needs(command)

export const decide = <K extends CommandKind>(state: State, command: Command<K>): Decision<Outcome<K>> =>
  deciderOf(command).decide(state, command)

/** The compiler cannot see that the decider at `command.kind` takes this very command. */
const deciderOf = <K extends CommandKind>(command: Command<K>): Decider<K> =>
  deciders[(command as { readonly kind: K }).kind] as unknown as Decider<K>
