import type { AreaProps } from './area-props.ts'
import { useLines } from './data.ts'
import { UsageTable } from './table.tsx'

/** Every message of the period. */
export const MessagesArea = ({ view, overview, chosen, isAway }: AreaProps) => {
  const lines = useLines(view, overview, chosen)
  return <UsageTable view={view} overview={overview} chosen={chosen} {...lines} error={isAway ? null : lines.error} />
}
