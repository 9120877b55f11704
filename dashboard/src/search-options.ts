/** What the search offers for what is typed, in groups. */
import { AREAS, type Area } from './areas.ts'
import type { Found } from './message-by-id.ts'
import { idIn, indexNames, looksLikeId, type Matches, matchNames, type NameIndex } from './search-matches.ts'

/** Outcomes are five words, and have a filter. */
export const SEARCHED = ['member', 'report', 'model', 'team', 'feature'] as const
export type Searched = (typeof SEARCHED)[number]

export type Option = { readonly key: string; readonly name: string; readonly note?: string } & (
  | { readonly kind: 'message'; readonly id: string; readonly found: Found | undefined }
  | { readonly kind: 'value'; readonly dimension: Searched; readonly value: string; readonly isInPeriod: boolean }
  | { readonly kind: 'area'; readonly area: Area }
  | { readonly kind: 'organization'; readonly id: string }
)

export type Group = {
  readonly name: string
  readonly options: readonly Option[]
  /** How many more there are. */
  readonly more: number
}

export type Known = {
  readonly names: Readonly<Record<Searched, Pick<Names, 'index' | 'isInPeriod'>>> | undefined
  /** The messages with the id that is typed; undefined until they are known. */
  readonly messages: readonly Found[] | undefined
  /** The name of a message's period. */
  readonly periodName: (found: Found) => string
  readonly areas: readonly Area[]
  readonly organizations: readonly { readonly id: string; readonly name: string }[]
}

export type Names = {
  readonly index: NameIndex
  readonly isInPeriod: (name: string) => boolean
}

const SHOWN_OF_EACH = 6
const HEADINGS: Readonly<Record<Searched, string>> = {
  member: 'Members',
  report: 'Reports',
  model: 'Models',
  team: 'Teams',
  feature: 'Features',
}

/** A message comes first if the text looks like an id, and last if a message only happens to be called so. */
export const groupsFor = (typed: string, known: Known): readonly Group[] => {
  const id = idIn(typed)
  const messages = id === undefined ? [] : messageOptions(id, known)
  const group: Group = { name: 'Messages', options: messages, more: 0 }
  const isFirst = id !== undefined && looksLikeId(id)
  const groups = [
    ...(isFirst ? [group] : []),
    ...SEARCHED.map((dimension) => valueGroup(dimension, typed, known)),
    areaGroup(typed, known),
    organizationGroup(typed, known),
    ...(isFirst ? [] : [group]),
  ]
  return groups.filter(({ options }) => options.length > 0)
}

/** Before it is known whether there is one, it is offered if the text looks like an id. */
const messageOptions = (id: string, { messages, periodName }: Known): readonly Option[] => {
  if (messages === undefined) {
    const option = { kind: 'message', key: 'message', name: `Message ${id}`, id, found: undefined } as const
    return looksLikeId(id) ? [option] : []
  }
  return messages.map((found, at) => ({
    kind: 'message',
    // The first has the same key as while it is looked up, so that it stays chosen.
    key: at === 0 ? 'message' : `message ${at}`,
    name: `Message ${messages.length > 1 && typeof found.id === 'string' ? `"${found.id}"` : found.id}`,
    note: periodName(found),
    id,
    found,
  }))
}

const valueGroup = (dimension: Searched, typed: string, { names }: Known): Group => {
  const known = names?.[dimension]
  const matches = known === undefined ? NONE : matchNames(known.index, typed, SHOWN_OF_EACH)
  const options = matches.names.map((value): Option => {
    const isInPeriod = known?.isInPeriod(value) === true
    const note = isInPeriod ? {} : { note: 'not in this period' }
    return { kind: 'value', key: `${dimension} ${value}`, name: value, ...note, dimension, value, isInPeriod }
  })
  return { name: HEADINGS[dimension], options, more: matches.more }
}

const NONE: Matches = { names: [], more: 0 }

/** All of them while nothing is typed. */
const areaGroup = (typed: string, { areas }: Known): Group => {
  const all = AREAS.filter(({ id }) => areas.includes(id))
  const wanted = typed.replace(/^\s*go\s+to\s+/i, '')
  const found =
    wanted.trim() === ''
      ? all.map(({ name }) => name)
      : matchNames(indexNames(all.map(({ name }) => name)), wanted, all.length).names
  const options = found.flatMap((name): readonly Option[] => {
    const area = all.find((each) => each.name === name)?.id
    return area === undefined ? [] : [{ kind: 'area', key: `area ${area}`, name: `Go to ${name}`, area }]
  })
  return { name: 'Areas', options, more: 0 }
}

/** By their names and ids. */
const organizationGroup = (typed: string, { organizations }: Known): Group => {
  const byText = Map.groupBy(organizations, ({ id, name }) => `${name} ${id}`)
  const { names, more } = matchNames(indexNames(byText.keys()), typed, SHOWN_OF_EACH)
  const options = names
    .flatMap((text) => byText.get(text) ?? [])
    .map(
      ({ id, name }): Option => ({
        kind: 'organization',
        key: `organization ${id}`,
        name: `Switch to ${name}`,
        note: id,
        id,
      }),
    )
  return { name: 'Organizations', options, more }
}

/** Where ↑ and ↓ go from the option of a key, around the ends. */
export const neighbor = (groups: readonly Group[], key: string | undefined, step: 1 | -1): string | undefined => {
  const options = groups.flatMap(({ options }) => options)
  const at = options.findIndex((option) => option.key === key)
  return options.at((at + step) % Math.max(options.length, 1))?.key
}
