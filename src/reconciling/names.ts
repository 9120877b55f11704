/** When a name of theirs and a name of ours mean the same member, or the same model. */

/** Pairs of a name of theirs and the name of ours that it stands for. */
export type NameMap = ReadonlyMap<string, string>

export type NameMaps = { readonly members: NameMap; readonly models: NameMap }

export const NO_NAMES: NameMaps = { members: new Map(), models: new Map() }

/** `Ada` and `ada` are one member. */
export const memberKey = (name: string): string => name.trim().normalize('NFC').toLowerCase()

/**
 * `Claude Sonnet 4.5`, `anthropic/claude-sonnet-4.5` and `claude-sonnet-4-5-20250929` are one model: neither letter case, the
 * vendor before a slash, a variant after a colon, `Auto:`, the date at the end, nor what separates the parts tells models apart.
 */
export const modelKey = (name: string): string =>
  name
    .trim()
    .normalize('NFC')
    .toLowerCase()
    .replace(/^auto:\s*/, '')
    .replace(/^.*\//, '')
    .replace(/:[\w-]+$/, '')
    .replace(/[-@_ ](?:20\d{6}|20\d\d-[01]\d-[0-3]\d)$/, '')
    .replace(/[^\p{L}\p{N}]+/gu, '-')
    .replace(/^-|-$/g, '')

/** The keys of names of theirs. A pair of the map goes before the rules. */
export const createTheirKeys = ({ members, models }: NameMaps) => ({
  member: createKeys(members, memberKey),
  model: createKeys(models, modelKey),
})

const createKeys = (map: NameMap, keyOf: (name: string) => string): ((name: string) => string) => {
  const ours = new Map([...map].map(([theirs, our]) => [memberKey(theirs), our]))
  const known = new Map<string, string>()
  return (name) => {
    let key = known.get(name)
    if (key === undefined) {
      key = keyOf(ours.get(memberKey(name)) ?? name)
      known.set(name, key)
    }
    return key
  }
}
