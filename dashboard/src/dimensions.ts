/** What usage can be split and filtered by, beside time. */

/** The reports set prices, the rest is what a message brings. In the order in which the page offers them. */
export const DIMENSIONS = ['report', 'member', 'team', 'model', 'feature', 'outcome'] as const
export type Dimension = (typeof DIMENSIONS)[number]

/** What a message, or a group of messages, has of each; undefined if it has none. */
export type Values = Readonly<Record<Dimension, string | undefined>>

export const OUTCOMES = ['succeeded', 'failed', 'cancelled', 'retried', 'utility'] as const
export type Outcome = (typeof OUTCOMES)[number]
/** The service leaves this outcome out, as it is that of nearly all messages. */
export const USUAL_OUTCOME: Outcome = 'succeeded'

export const isOutcome = (text: string): text is Outcome => OUTCOMES.some((outcome) => outcome === text)

type Names = { readonly one: string; readonly many: string; readonly none: string }

export const DIMENSION_NAMES: Readonly<Record<Dimension, Names>> = {
  report: { one: 'Report', many: 'Reports', none: 'No report' },
  member: { one: 'Member', many: 'Members', none: 'No member' },
  team: { one: 'Team', many: 'Teams', none: 'No team' },
  model: { one: 'Model', many: 'Models', none: 'No model' },
  feature: { one: 'Feature', many: 'Features', none: 'No feature' },
  outcome: { one: 'Outcome', many: 'Outcomes', none: 'No outcome' },
}

/** The service counts models and features beyond the first 1,000 under this name. Lines keep their own. */
export const OTHERS = '(other)'

/** For each dimension a value, empty for messages without one, or undefined for all messages. */
export type DimensionFilters = Values & {
  /** Only messages that a report priced, whichever. */
  readonly anyReport: boolean
}

export type Filters = DimensionFilters & {
  /** As it was typed. */
  readonly minCredits: string | undefined
}

export const isKept = (
  values: Values,
  filters: DimensionFilters,
  dimensions: readonly Dimension[] = DIMENSIONS,
): boolean =>
  (!filters.anyReport || values.report !== undefined) &&
  dimensions.every((dimension) => {
    const wanted = filters[dimension]
    return wanted === undefined || isOthers(dimension, wanted) || (values[dimension] ?? '') === wanted
  })

const isOthers = (dimension: Dimension, value: string): boolean =>
  value === OTHERS && (dimension === 'model' || dimension === 'feature')

/** Whether the names that the page knows tell what the filters keep. */
export const isFilteredHere = (filters: DimensionFilters): boolean =>
  DIMENSIONS.every((dimension) => !isOthers(dimension, filters[dimension] ?? ''))

/** How usage is asked for: by filters of the service, and by dimensions to split it by, of which the page then keeps some parts. */
export type Asked = {
  readonly query: {
    readonly user_id?: string
    readonly team_id?: string
    readonly model?: string
    readonly feature?: string
    readonly outcome?: Outcome
    readonly min_credits?: string
  }
  readonly splits: readonly Dimension[]
}

/** The service knows no filter for messages without a value, nor for the name of a report, which several can share. */
export const askFor = ({ report, anyReport, member, team, model, feature, outcome, minCredits }: Filters): Asked => {
  const unasked = { report, member, team, model, feature, outcome }
  const splits = DIMENSIONS.filter((dimension) =>
    dimension === 'report' ? report !== undefined || anyReport : unasked[dimension] === '',
  )
  return {
    query: {
      ...(member && { user_id: member }),
      ...(team && { team_id: team }),
      ...(model && { model }),
      ...(feature && { feature }),
      ...(outcome !== undefined && isOutcome(outcome) && { outcome }),
      ...(minCredits !== undefined && { min_credits: plainAmount(minCredits) }),
    },
    splits,
  }
}

/** `.5` and `5.` as the service takes them. */
const plainAmount = (typed: string): string => typed.replace(/^\./, '0.').replace(/\.$/, '')
