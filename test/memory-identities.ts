/** Organizations and keys in memory, changed by the real deciders, for tests of what stands on them. */
import { decide, needsOf } from '../src/deciding/deciders.ts'
import type { ApiKey, Command, CommandKind, Outcome } from '../src/ledger/commands.ts'
import type { KeyStore, OrganizationStore } from '../src/ledger/ledger.ts'
import type { Organization } from '../src/model/organization.ts'

const isSame = (one: Uint8Array | undefined, other: Uint8Array | undefined): boolean =>
  one !== undefined && other !== undefined && Buffer.compare(one, other) === 0

export class MemoryIdentities {
  readonly #organizations = new Map<string, Organization>()
  #stored: readonly ApiKey[] = []
  /** How often an organization or a key was looked up. */
  finds = 0

  readonly organizations: OrganizationStore = {
    find: async (id) => {
      this.finds++
      return structuredClone(this.#organizations.get(id))
    },
    list: async () => [...this.#organizations.values()],
    days: async (ranges) => ranges.map(() => []),
    activity: async (ids) =>
      ids.map((id) => ({ keys: this.#keysOf(id).filter(({ revokedAt }) => revokedAt === undefined).length })),
  }

  readonly keys: KeyStore = {
    find: async (organizationId, hash) => {
      this.finds++
      return this.#keysOf(organizationId).find((key) => isSame(key.hash, hash))
    },
    list: async (organizationId) => this.#keysOf(organizationId),
    any: async () => this.#stored.length > 0,
    used: async (_, hash, at) => {
      this.#stored = this.#stored.map((key) => (isSame(key.hash, hash) ? { ...key, usedAt: at } : key))
    },
  }

  async decide<K extends CommandKind>(organizationId: string, command: Command<K>): Promise<Outcome<K>> {
    const wanted = needsOf(command).key
    const organization = this.#organizations.get(organizationId)
    const key = this.#keysOf(organizationId).find(({ id, hash }) => id === wanted?.id || isSame(hash, wanted?.hash))
    const { outcome, writes } = decide({ ...(organization && { organization }), ...(key && { key }) }, command)
    for (const write of writes) {
      if (write.kind === 'new-organization' || write.kind === 'organization') {
        this.#organizations.set(organizationId, structuredClone(write.organization))
      }
      if (write.kind === 'new-key') this.#stored = [...this.#stored, write.key]
      if (write.kind === 'revoked-key') {
        this.#stored = this.#stored.map((each) => (each.id === write.keyId ? { ...each, revokedAt: write.at } : each))
      }
    }
    return outcome
  }

  #keysOf(organizationId: string): readonly ApiKey[] {
    return this.#stored.filter((key) => key.organizationId === organizationId)
  }
}
