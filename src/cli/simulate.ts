/** `copilot-credits simulate`: what another rate card would do to a period, and charging it anew. */
import { type Command, InvalidArgumentError } from 'commander'
import type { RangeQuery } from '#answering/usage-range.ts'
import type { Environment } from '#config.ts'
import { EXIT_CODES } from '#exit-codes.ts'
import { isPlainText, PLAIN_TEXT } from '#model/plain-text.ts'
import { cardIn, isFile, readCardFile } from './card-files.ts'
import { openSimulationTarget, type Progress, type SimulationTargetOptions } from './simulation-targets.ts'
import { type Column, grouped, progressBar, shown, styled, type Terminal, table } from './terminal.ts'

type Options = SimulationTargetOptions &
  RangeQuery & { readonly card: string; readonly apply?: true; readonly json?: true }

export const addSimulateCommand = (
  program: Command,
  { out, err }: Terminal,
  environment: () => Environment,
  exit: (code: number) => void,
): void => {
  program
    .command('simulate')
    .summary('Show what another rate card would do to a period')
    .description(
      'Price the messages of a billing period again by another rate card, and show who would pay more and who less. Nothing is ' +
        'written. With --apply, and if the card is in force for the whole period, the messages that another card has charged are ' +
        'then charged anew, as shown; the command can be repeated if it is interrupted.',
    )
    .requiredOption(
      '--card <card>',
      'Version of a stored card, or a file if the name has a slash or ends with .json',
      plain,
    )
    .option('--period <period>', 'Period, such as 2026-10, current or previous (default: current)')
    .option('--from <timestamp>', 'In place of --period: first instant or date')
    .option('--to <timestamp>', 'In place of --period: end, exclusive')
    .option('--organization <id>', 'Organization; repeat for several (default: all)', collect)
    .option('--apply', 'Charge the messages anew, as shown')
    .option('--url <url>', 'Use a running service instead of the database')
    .option('--key <key>', 'API key for --url (default: COPILOT_CREDITS_KEY)')
    .option('--json', 'Print JSON')
    .action(async ({ card, period, from, to, apply, json, ...options }: Options) => {
      const rateCard = isFile(card) ? cardIn(card, await readCardFile(card)) : card
      const range = {
        ...(period !== undefined && { period }),
        ...(from !== undefined && { from }),
        ...(to !== undefined && { to }),
      }
      const target = await openSimulationTarget(environment(), options, { rateCard, ...range }, err)
      const withBar = async (label: string, work: (progress: Progress) => Promise<string>): Promise<string> => {
        const bar = progressBar(err, label, (done) => `${grouped(done)} messages`)
        return work(bar.show).finally(bar.clear)
      }
      try {
        const simulated = await withBar('pricing again', target.simulate)
        const simulation = exactly<Simulation>(simulated)
        if (json !== true) out.write(toTables(out, simulation))
        if (apply !== true) {
          if (json === true) out.write(`${simulated}\n`)
          return
        }
        const applied = await withBar('charging anew', (progress) => target.apply(simulation.hash, progress))
        const charged = exactly<ChargedAnew>(applied)
        out.write(json === true ? `{"simulation":${simulated},"applied":${applied}}\n` : summary(charged))
        if (charged.unpriced_after !== undefined) exit(EXIT_CODES.failed)
      } finally {
        await target.close()
      }
    })
}

const plain = (value: string): string => {
  if (!isPlainText(value)) throw new InvalidArgumentError(`Must be ${PLAIN_TEXT}.`)
  return value
}

const collect = (value: string, before: readonly string[] = []): readonly string[] => [...before, value]

/** With the digits of the amounts. */
type Sums = {
  readonly messages: number
  readonly credits_before: string
  readonly credits_after: string
  readonly difference: string
  readonly costlier: number
  readonly cheaper: number
  readonly unpriced_after?: number
}

type Group = Sums & {
  readonly organization?: string
  readonly report_id?: string | number
  readonly report_name?: string
  readonly user_id?: string
  readonly team_id?: string
  readonly model?: string
  readonly date?: string
}

type Groups = { readonly groups: readonly Group[]; readonly others?: Sums }

type Reasons = readonly { readonly reason: string; readonly messages: number }[]

type Simulation = Sums & {
  readonly hash: string
  /** Absent if there are several. */
  readonly organization?: string
  readonly rate_card: { readonly version: string }
  readonly from: string
  readonly to: string
  readonly charged_otherwise: number
  readonly by_organization: Groups
  readonly by_report: Groups
  readonly by_member: Groups
  readonly by_team: Groups
  readonly by_model: Groups
  readonly by_day: Groups
  readonly largest_changes: readonly (Pick<Group, 'organization' | 'user_id'> & {
    readonly message_id: string | number
    readonly timestamp: string
    readonly credits_before?: string
    readonly credits_after?: string
  })[]
  readonly unpriced: Reasons
}

type ChargedAnew = Sums & { readonly changed_meanwhile: number; readonly unpriced: Reasons }

const AMOUNTS = new Set(['credits_before', 'credits_after', 'difference'])

/** A double can lose digits of a sum. */
const exactly = <T>(json: string): T => {
  type Reviver = (key: string, value: unknown, context: { readonly source?: string }) => unknown
  const revive: Reviver = (key, value, { source }) => (AMOUNTS.has(key) ? source : value)
  return JSON.parse(json, revive as (key: string, value: unknown) => unknown) as T
}

const toTables = (out: Terminal['out'], simulation: Simulation): string => {
  const {
    rate_card,
    from,
    to,
    by_organization,
    by_report,
    by_member,
    by_team,
    by_model,
    by_day,
    largest_changes,
    unpriced,
  } = simulation
  /** Members and teams are those of an organization. */
  const of = ({ organization }: Pick<Group, 'organization'>, name: string): string =>
    simulation.organization === undefined ? `${organization}: ${name}` : name
  const sections: readonly (readonly [string, Groups, (group: Group) => string])[] = [
    ['organization', by_organization, ({ organization = '' }) => organization],
    [
      'report',
      by_report,
      ({ report_id: id, report_name: name }) => name ?? (id === undefined ? '(no report)' : `${id}`),
    ],
    ['member', by_member, (group) => of(group, group.user_id ?? '(unknown)')],
    ['team', by_team, (group) => of(group, group.team_id ?? '(none)')],
    ['model', by_model, ({ model }) => model ?? '(none)'],
    ['day', by_day, ({ date = '' }) => date],
  ]
  const heading = (text: string) => `\n${styled(out, 'cyan', text)}\n`
  const total = table(out, columns('range'), [row(`${from} to ${to}`, simulation)])
  const groups = sections
    .filter(([, { groups }]) => groups.length > 1)
    .map(([name, each, nameOf]) => `${heading(`By ${name}`)}${groupTable(out, name, each, nameOf)}`)
  const changes = table(
    out,
    [
      { title: 'message', align: 'right' },
      { title: 'timestamp', align: 'left' },
      { title: 'member', align: 'left' },
      { title: 'before', align: 'right' },
      { title: 'after', align: 'right' },
    ],
    largest_changes.map((each) => [
      shown(of(each, `${each.message_id}`)),
      each.timestamp,
      shown(each.user_id ?? ''),
      amount(each.credits_before),
      amount(each.credits_after),
    ]),
  )
  return [
    `${shown(rate_card.version)} in place of what was charged\n\n${total}`,
    ...groups,
    ...(largest_changes.length === 0 ? [] : [`${heading('Messages that change most')}${changes}`]),
    ...(unpriced.length === 0 ? [] : [`${heading('Without a price')}${reasonLines(unpriced)}`]),
    `\n${costs(simulation)} Charged by another card: ${grouped(simulation.charged_otherwise)}.\n`,
  ].join('')
}

const GROUPS_SHOWN = 10
const DAYS_SHOWN = 62

const groupTable = (
  out: Terminal['out'],
  name: string,
  { groups }: Groups,
  nameOf: (group: Group) => string,
): string => {
  const rows = groups.slice(0, name === 'day' ? DAYS_SHOWN : GROUPS_SHOWN).map((group) => row(nameOf(group), group))
  const more = groups.length === rows.length ? '' : 'The others are in --json.\n'
  return `${table(out, columns(name), rows)}${more}`
}

const columns = (name: string): readonly Column[] => [
  { title: name, align: 'left' },
  ...['messages', 'before', 'after', 'difference'].map((title) => ({ title, align: 'right' as const })),
]

const row = (name: string, { messages, credits_before, credits_after, difference }: Sums): readonly string[] => [
  shown(name),
  grouped(messages),
  amount(credits_before),
  amount(credits_after),
  `${difference.startsWith('-') || difference === '0' ? '' : '+'}${amount(difference)}`,
]

/** At least two decimals, so that amounts line up. */
const amount = (decimal: string | undefined): string => {
  if (decimal === undefined) return 'no price'
  const [whole = '', fraction = ''] = decimal.split('.')
  return `${grouped(whole)}.${fraction.padEnd(2, '0')}`
}

const costs = ({ costlier, cheaper }: Sums): string =>
  `${grouped(costlier)} ${costlier === 1 ? 'message costs' : 'messages cost'} more, ${grouped(cheaper)} less.`

const reasonLines = (reasons: Reasons): string =>
  reasons.map(({ reason, messages }) => `${grouped(messages)}: ${shown(reason)}\n`).join('')

const summary = ({ messages, credits_before, credits_after, changed_meanwhile, unpriced }: ChargedAnew): string => {
  const changed = changed_meanwhile === 0 ? '' : `, ${grouped(changed_meanwhile)} had changed meanwhile and stay`
  return (
    `Charged anew: ${grouped(messages)} messages, ${amount(credits_before)} before, ${amount(credits_after)} now${changed}.\n` +
    reasonLines(unpriced)
  )
}
