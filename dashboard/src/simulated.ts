/** What a simulation says, as the page shows it. Amounts are in millionths of a credit. */
import type { Simulation } from 'copilot-credits-client'
import { changeFrom, credits, toMicros } from './format.ts'

export const DIMENSIONS = [
  { id: 'report', name: 'Reports' },
  { id: 'member', name: 'Members' },
  { id: 'team', name: 'Teams' },
  { id: 'model', name: 'Models' },
  { id: 'day', name: 'Days' },
] as const
export type Dimension = (typeof DIMENSIONS)[number]['id']

export type Change = {
  readonly name: string
  readonly messages: number
  readonly before: number
  readonly after: number
  readonly difference: number
  /** Without a price by the other card. */
  readonly unpriced: number
}

/** They add up to the whole, exactly. */
export const changesBy = (simulation: Simulation, dimension: Dimension): readonly Change[] => {
  const { groups, others } = groupsOf(simulation, dimension)
  return [...groups, ...(others === undefined ? [] : [{ ...others, name: 'All others' }])].map((group) => ({
    name: group.name,
    messages: group.messages,
    before: toMicros(group.credits_before),
    after: toMicros(group.credits_after),
    difference: toMicros(group.difference),
    unpriced: group.unpriced_after ?? 0,
  }))
}

const groupsOf = (simulation: Simulation, dimension: Dimension) => {
  const { by_report: report, by_member: member, by_team: team, by_model: model, by_day: day } = simulation
  switch (dimension) {
    case 'report':
      return named(
        report,
        ({ report_id: id, report_name: name }) => name ?? (id === undefined ? 'No report' : String(id)),
      )
    case 'member':
      return named(member, ({ user_id: user }) => user ?? 'No member')
    case 'team':
      return named(team, ({ team_id: id }) => id ?? 'No team')
    case 'model':
      return named(model, ({ model: name }) => name ?? 'No model')
    case 'day':
      return named(day, ({ date }) => date)
  }
}

const named = <Group extends object, Others>(
  { groups, others }: { readonly groups: readonly Group[]; readonly others?: Others },
  nameOf: (group: Group) => string,
) => ({ groups: groups.map((group) => ({ ...group, name: nameOf(group) })), others })

/** `+1.50`: a difference always has its sign. */
export const signedCredits = (micros: number): string => `${micros > 0 ? '+' : ''}${credits(micros)}`

/** `12.0% less`; in credits alone if there is nothing to compare with. */
export const changeName = (before: number, after: number): string =>
  before === 0 ? signedCredits(after) : `${signedCredits(after - before)}, ${changeFrom(before, after)}`
