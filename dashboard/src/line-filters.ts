import { useMemo } from 'react'
import type { LineFilters } from './lines.ts'

/** The filters of a view: the same object until one of them changes, so that opening a row does not filter again. */
export const useLineFilters = (view: LineFilters): LineFilters => {
  const { report, anyReport, member, team, model, feature, outcome, minCredits, unpriced, search } = view
  return useMemo(
    () => ({ report, anyReport, member, team, model, feature, outcome, minCredits, unpriced, search }),
    [report, anyReport, member, team, model, feature, outcome, minCredits, unpriced, search],
  )
}
