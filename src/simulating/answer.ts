/** Simulations in the words of the API. */
import { mostFrequentFirst } from '#intake/unpriced-reasons.ts'
import type { Range } from '#ledger/ledger.ts'
import { credits, plainNumber } from '#model/credits.ts'
import { canonicalTimestamp } from '#model/timestamp.ts'
import type { ChargedAnew } from './charging-anew.ts'
import type { ChangedMessage, ComparedGroup } from './comparison.ts'
import type { Groups } from './groups.ts'
import type { Simulation } from './simulations.ts'
import type { Sums } from './sums.ts'

export const toSimulationAnswer = (simulation: Simulation) => {
  const { hash, asked, rateCard, from, to, total, byAnother, organizations, by, days, largest, reasons } = simulation
  const [only, ...others] = asked
  return {
    hash,
    ...(only !== undefined && others.length === 0 && { organization: only.id }),
    rate_card: rateCard,
    ...toRange({ from, to }),
    ...toSums(total),
    charged_otherwise: byAnother,
    by_organization: toGroups(organizations, ({ organization: { id }, range }) => ({
      organization: id,
      ...toRange(range),
    })),
    by_report: toGroups(by.report, toNames),
    by_member: toGroups(by.member, toNames),
    by_team: toGroups(by.team, toNames),
    by_model: toGroups(by.model, toNames),
    by_day: toGroups(days, ({ date, start }) => ({ date, start: canonicalTimestamp(start) })),
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

const toRange = ({ from, to }: Range) => ({ from: canonicalTimestamp(from), to: canonicalTimestamp(to) })

const toNames = ({ organizationId, reportId, reportName, member, team, model }: ComparedGroup) => ({
  ...(organizationId !== undefined && { organization: organizationId }),
  ...(reportId !== undefined && { report_id: reportId }),
  ...(reportName !== undefined && { report_name: reportName }),
  ...(member !== undefined && { user_id: member }),
  ...(team !== undefined && { team_id: team }),
  ...(model !== undefined && { model }),
})

const toMessage = ({ organizationId, messageId, timestamp, cell, before, after }: ChangedMessage) => ({
  organization: organizationId,
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
