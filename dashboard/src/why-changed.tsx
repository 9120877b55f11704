import { type Change, type Contribution, causesOf } from './causes.ts'
import type { Earlier } from './comparison.ts'
import { type Overview, useChoices, useDearest, useSplits } from './data.ts'
import { DIMENSION_NAMES, type Dimension } from './dimensions.ts'
import { credits, signedCredits } from './format.ts'
import type { Bar } from './usage.ts'
import { ViewLink } from './view-link.tsx'

type Props = {
  readonly overview: Overview
  readonly chosen: Bar | undefined
  readonly before: Earlier | undefined
  /** Undefined if there is nothing to compare with, or until it is known. */
  readonly change: number | undefined
}

const EXPLAINED: readonly Dimension[] = ['member', 'report', 'model']

/** The change in credits, and what contributed most to it. */
export const WhyChanged = ({ overview, chosen, before, change }: Props) => {
  const choices = useChoices(overview)
  const dimensions = EXPLAINED.filter((dimension) => choices[dimension].length > 0)
  const isChanged = change !== undefined && change !== 0
  const splits = useSplits(overview, isChanged ? dimensions : NONE, chosen, before)
  const dearest = useDearest(overview, chosen, isChanged && change > 0)
  // All at once: a cause that comes later would move the others.
  if (!isChanged || dearest.isPending || splits.some(({ isPending }) => isPending)) return <p className="causes" />
  const changes: Partial<Record<Dimension, Change>> = {}
  for (const [at, dimension] of dimensions.entries()) {
    const { now, before: earlier } = splits[at] ?? {}
    if (now !== undefined && earlier !== undefined) changes[dimension] = { now, before: earlier }
  }
  const { message, contributions } = causesOf(change, changes, dearest.line)
  return (
    <p className="causes">
      <strong>{signedCredits(change)}</strong>
      {message !== undefined && (
        <>
          , of which {credits(message.micros)} is <ViewLink change={{ message: message.id }}>one message</ViewLink>
          {message.member !== undefined && ` of ${message.member}`}
        </>
      )}
      {contributions.length > 0 && (message === undefined ? ', mostly ' : '; ')}
      {contributions.map((each, at) => (
        <span key={each.dimension}>
          {at > 0 && ', '}
          <ViewLink change={{ [each.dimension]: each.value ?? '' }}>{nameOf(each)}</ViewLink>{' '}
          {signedCredits(each.micros)}
        </span>
      ))}
    </p>
  )
}

const NONE: readonly Dimension[] = []

const nameOf = ({ dimension, value }: Contribution): string => value ?? DIMENSION_NAMES[dimension].none
