/** `copilot-credits usage`: the messages of the current period, with totals by day and by report. */
import type { Command } from 'commander'
import { isTimeZone } from '#calendar/zones.ts'
import { type Config, type Environment, readConfig } from '#config.ts'
import { monotonicNow } from '#model/clock.ts'
import { plainNumber } from '#model/credits.ts'
import { isCharged, toUsageText, type UsageLine } from '#model/usage-line.ts'
import { type PeriodTotals, periodTotals, type Total } from '#reporting/totals.ts'
import type { PeriodFiles } from '#upstream/file-source.ts'
import { CommandFailed } from './failure.ts'
import { grouped, progressBar, shown, shownAmount, styled, type Terminal, table } from './terminal.ts'

type Options = {
  readonly upstream?: string
  readonly json?: true
  readonly timeZone: string
}

export const addUsageCommand = (program: Command, { out, err }: Terminal, environment: () => Environment): void => {
  program
    .command('usage')
    .summary('Show the current period by message, day and report')
    .description(
      'Price a billing period and show its messages, with totals by day and by report. The period comes from files, from ' +
        'the Copilot service (--upstream or UPSTREAM_URL), or else from the bundled sample.',
    )
    .argument('[messages]', 'File with {"messages":[…]}, in the format of the Copilot service')
    .argument('[reports]', 'File with {"reports":[…]}; without it, every message is priced by its text')
    .option('--upstream <url>', 'Base URL of the Copilot service; overrides UPSTREAM_URL')
    .option('--time-zone <zone>', 'IANA time zone for the totals by day', 'UTC')
    .option('--json', 'Print JSON: the lines of GET /usage, the messages without a price, and the totals')
    .action(async (messages: string | undefined, reports: string | undefined, options: Options) => {
      if (messages !== undefined && options.upstream !== undefined) {
        throw new CommandFailed('use either --upstream or files, not both', 'usage')
      }
      if (!isTimeZone(options.timeZone)) {
        throw new CommandFailed(
          `--time-zone must be an IANA time zone such as Europe/London, not ${options.timeZone}`,
          'usage',
        )
      }
      const config = readConfig({
        ...environment(),
        ...(options.upstream === undefined ? {} : { UPSTREAM_URL: options.upstream }),
      })
      const files = messages === undefined ? undefined : { messages, reports }
      const lines = await readLines(config, files, err)
      const totals = periodTotals(lines, options.timeZone)
      out.write(options.json === true ? toJson(lines, totals) : toTables(out, lines, totals, options.timeZone))
    })
}

/** `unpriced` is why there is no price. */
type ShownLine = UsageLine & { readonly unpriced?: string }

const readLines = async (
  config: Config,
  files: PeriodFiles | undefined,
  err: Terminal['err'],
): Promise<readonly ShownLine[]> => {
  const bar = progressBar(err, 'reading', (bytes) => `${grouped(Math.round(bytes / 1000))} kB`)
  // Imported here, so that `rate` does not wait for the HTTP client to load.
  const { openListing } = await import('#compose/listing.ts')
  const { listing, reasonOf, close } = openListing({
    config,
    files,
    render: async (each) => [...each],
    observer: { refreshed: () => {}, served: () => {} },
    observeCall: () => {},
    now: monotonicNow,
    progress: bar.show,
  })
  try {
    const { usage } = await listing.read()
    return usage.map((line) => (isCharged(line) ? line : { ...line, unpriced: reasonOf(line) }))
  } finally {
    bar.clear()
    await close()
  }
}

const RIGHT = 'right' as const
const LEFT = 'left' as const

const toTables = (
  out: Terminal['out'],
  lines: readonly UsageLine[],
  totals: PeriodTotals,
  timeZone: string,
): string => {
  const amounts = ({ messages, credits }: Total) => [grouped(messages), shownAmount(credits)]
  const sum = ['total', ...amounts(totals)]
  const each = table(
    out,
    [
      { title: 'message', align: RIGHT },
      { title: 'timestamp', align: LEFT },
      { title: 'report', align: LEFT },
      { title: 'credits', align: RIGHT },
    ],
    lines.map(({ messageId, timestamp, cell: { reportName }, credits }) => [
      shown(String(messageId)),
      timestamp,
      shown(reportName ?? ''),
      credits === undefined ? 'no price' : shownAmount(credits),
    ]),
    [['', '', `${grouped(totals.messages)} messages${withoutPrice(totals)}`, shownAmount(totals.credits)]],
  )
  const amountColumns = [
    { title: 'messages', align: RIGHT },
    { title: 'credits', align: RIGHT },
  ]
  const days = table(
    out,
    [{ title: 'day', align: LEFT }, ...amountColumns],
    totals.byDay.map((day) => [day.day, ...amounts(day)]),
    [sum],
  )
  const reports = table(
    out,
    [{ title: 'report', align: LEFT }, ...amountColumns],
    totals.byReport.map((report) => [shown(report.reportName ?? '(priced by text)'), ...amounts(report)]),
    [sum],
  )
  const heading = (text: string) => `${styled(out, 'cyan', text)}\n`
  return `${each}\n${heading(`By day (${timeZone})`)}${days}\n${heading('By report')}${reports}`
}

const withoutPrice = ({ unpriced }: Total): string => (unpriced === 0 ? '' : `, ${grouped(unpriced)} without a price`)

const toJson = (lines: readonly ShownLine[], totals: PeriodTotals): string => {
  const amounts = ({ messages, unpriced, credits }: Total) => ({
    messages,
    ...(unpriced > 0 && { unpriced }),
    credits_used: plainNumber(credits),
  })
  const left = lines.filter((line) => !isCharged(line))
  const unpriced = left.map(({ messageId, timestamp, unpriced: reason }) => ({
    message_id: messageId,
    timestamp,
    unpriced: reason,
  }))
  const usage = lines.filter(isCharged).map((line): unknown => JSON.parse(toUsageText(line)))
  const byDay = totals.byDay.map((day) => ({ day: day.day, ...amounts(day) }))
  const byReport = totals.byReport.map((report) => ({
    ...(report.reportName === undefined ? {} : { report_name: report.reportName }),
    ...amounts(report),
  }))
  const result = {
    usage,
    ...(unpriced.length > 0 && { unpriced }),
    totals: { ...amounts(totals), by_day: byDay, by_report: byReport },
  }
  return `${JSON.stringify(result, null, 2)}\n`
}
