/** Simulations in the words of the API. */
import { entryAt, zoned } from '#calendar/periods.ts'
import { mostFrequentFirst } from '#intake/unpriced-reasons.ts'
import type { Grouped } from '#model/cell.ts'
import { credits, plainNumber } from '#model/credits.ts'
import type { EpochMs, Organization } from '#model/organization.ts'
import { canonicalTimestamp } from '#model/timestamp.ts'
import type { ChargedAnew } from './charging-anew.ts'
import type { ChangedMessage, Groups } from './comparison.ts'
import type { Simulation } from './simulations.ts'
import type { Sums } from './sums.ts'

export const toSimulationAnswer = (simulation: Simulation) => {
  const { hash, organization, rateCard, from, to, total, byAnother, by, days, largest, reasons } = simulation
  return {
    hash,
    organization: organization.id,
    rate_card: rateCard,
    from: canonicalTimestamp(from),
    to: canonicalTimestamp(to),
    ...toSums(total),
    charged_otherwise: byAnother,
    by_report: toGroups(by.report, toNames),
    by_member: toGroups(by.member, toNames),
    by_team: toGroups(by.team, toNames),
    by_model: toGroups(by.model, toNames),
    by_day: toGroups(days, ({ start }) => ({ date: dateOf(organization, start), start: canonicalTimestamp(start) })),
    largest_changes: largest.map(toMessage),
    unpriced: toReasons(reasons),
  }
}

export const toChargedAnewAnswer = (hash: string, { sums, changedMeanwhile, reasons }: ChargedAnew) => ({
  hash,
  ...toSums(sums),
  changed_meanwhile: changedMeanwhile,
  unpriced: toReasons(reasons),
})

const toSums = ({ messages, before, after, difference, costlier, cheaper, unpricedBefore, unpricedAfter }: Sums) => ({
  messages,
  credits_before: plainNumber(before),
  credits_after: plainNumber(after),
  difference: plainNumber(difference),
  costlier,
  cheaper,
  ...(unpricedBefore > 0 && { unpriced_before: unpricedBefore }),
  ...(unpricedAfter > 0 && { unpriced_after: unpricedAfter }),
})

const toGroups = <T, N extends object>({ groups, others }: Groups<T>, toName: (group: T) => N) => ({
  groups: groups.map((group) => ({ ...toName(group), ...toSums(group.sums) })),
  ...(others !== undefined && { others: toSums(others) }),
})

const toNames = ({ reportId, reportName, member, team, model }: Grouped) => ({
  ...(reportId !== undefined && { report_id: reportId }),
  ...(reportName !== undefined && { report_name: reportName }),
  ...(member !== undefined && { user_id: member }),
  ...(team !== undefined && { team_id: team }),
  ...(model !== undefined && { model }),
})

const dateOf = ({ calendar }: Organization, at: EpochMs): string =>
  zoned(at, entryAt(calendar, at).entry.timeZone).toPlainDate().toString()

const toMessage = ({ messageId, timestamp, cell, before, after }: ChangedMessage) => ({
  message_id: messageId,
  timestamp,
  ...toNames(cell),
  ...(!Number.isNaN(before) && { credits_before: plainNumber(credits(before)) }),
  ...(!Number.isNaN(after) && { credits_after: plainNumber(credits(after)) }),
})

const toReasons = (reasons: ReadonlyMap<string, number>) =>
  mostFrequentFirst(reasons).map(([reason, messages]) => ({ reason, messages }))

export type SimulationAnswer = ReturnType<typeof toSimulationAnswer>
export type ChargedAnewAnswer = ReturnType<typeof toChargedAnewAnswer>
