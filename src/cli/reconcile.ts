/** `copilot-credits reconcile`: our bill against the vendor's. */
import { type Command, InvalidArgumentError, Option } from 'commander'
import type { Environment } from '#config.ts'
import { EXIT_CODES } from '#exit-codes.ts'
import { COMPARISONS_MAX } from '#reconciling/answer.ts'
import { VENDORS, type VendorName } from '#reconciling/vendors.ts'
import { WrongFile as WrongBill } from '#reconciling/wrong-file.ts'
import { CommandFailed, WrongFile } from './failure.ts'
import { parseExactly, toCsv, toTables } from './reconcile-output.ts'
import { reconcileAt } from './reconcile-targets.ts'
import { grouped, progressBar, type Terminal } from './terminal.ts'
import { readNamePairs, readVendorFile } from './vendor-files.ts'

type Options = Readonly<Partial<Record<VendorName, string>>> & {
  readonly columns?: Readonly<Record<string, string>>
  readonly members?: string
  readonly models?: string
  readonly period?: string
  readonly from?: string
  readonly to?: string
  readonly timeZone?: string
  readonly creditsPerUsd?: string
  readonly tolerance?: string
  readonly organization: string
  readonly url?: string
  readonly key?: string
  readonly encoding?: string
  readonly output: Output
}

const OUTPUTS = ['table', 'csv', 'json'] as const
type Output = (typeof OUTPUTS)[number]

export const addReconcileCommand = (
  program: Command,
  { out, err }: Terminal,
  environment: () => Environment,
  exit: (code: number) => void,
): void => {
  program
    .command('reconcile')
    .summary("Compare our bill with a vendor's")
    .description(
      'Compare what messages cost with what a vendor bills for them, by day, user and model, and say why they differ. Nothing is ' +
        'written. The exit code is 1 if more is unexplained than --tolerance allows.',
    )
    .option('--github <file>', 'Usage report of GitHub Copilot; - is standard input')
    .option('--openrouter <file>', 'Activity export of OpenRouter')
    .option('--csv <file>', 'CSV file of any other vendor')
    .option(
      '--columns <field=name...>',
      'Columns that hold date, user, model, amount_usd, credits and the like',
      readColumn,
    )
    .option('--members <file>', "CSV file of two columns: the vendor's user, and the member here")
    .option('--models <file>', "CSV file of two columns: the vendor's model, and the model here")
    .option('--period <period>', 'Days of a billing period, such as 2026-10 (default: those of the file)')
    .option('--from <date>', 'In place of --period: first day')
    .option('--to <date>', 'In place of --period: the day after the last')
    .option('--time-zone <zone>', 'Where the days of --csv begin (default: UTC)')
    .option('--credits-per-usd <number>', 'How many credits a dollar is (default: 100)')
    .option('--tolerance <credits>', 'The most credits that may be unexplained (default: 0)')
    .option('--organization <id>', 'Organization', 'default')
    .option('--encoding <name>', 'Encoding of a file that is not UTF-8, such as windows-1252')
    .option('--url <url>', 'Use a running service instead of the database')
    .option('--key <key>', 'API key for --url (default: COPILOT_CREDITS_KEY)')
    .addOption(new Option('--output <format>', 'What to print').choices(OUTPUTS).default('table'))
    .action(async (options: Options) => {
      const { vendor, path } = fileIn(options)
      const fields = await fieldsIn(vendor, options)
      const bar = progressBar(err, 'reading', (done) => `${grouped(done)} bytes`)
      const text = readVendorFile(path, { encoding: options.encoding, progress: (bytes) => bar.show(bytes, undefined) })
      const limit = options.output === 'table' ? SHOWN : COMPARISONS_MAX
      const answer = await reconcileAt(environment(), options, { fields, text, limit }, err)
        .catch((error: unknown) => {
          throw error instanceof WrongBill ? new WrongFile(path, `: ${error.message.replace(/\.$/, '')}`) : error
        })
        .finally(bar.clear)
      const reconciliation = parseExactly(answer)
      if (options.output === 'json') out.write(`${answer}\n`)
      else out.write(options.output === 'csv' ? toCsv(reconciliation) : toTables(out, reconciliation))
      const { other_comparisons: others } = reconciliation
      if (options.output === 'csv' && others !== undefined)
        err.write(`${others.groups} more, with smaller differences, are not listed.\n`)
      if (!reconciliation.is_within_tolerance) exit(EXIT_CODES.failed)
    })
}

/** In a table. */
const SHOWN = 20

const fileIn = (options: Options): { readonly vendor: VendorName; readonly path: string } => {
  const given = VENDORS.flatMap((vendor) => {
    const path = options[vendor]
    return path === undefined ? [] : [{ vendor, path }]
  })
  const [file, ...others] = given
  if (file === undefined || others.length > 0)
    throw new CommandFailed('name one file with --github, --openrouter or --csv', 'usage')
  return file
}

/** In the words of the API. */
const fieldsIn = async (vendor: VendorName, options: Options): Promise<Readonly<Record<string, unknown>>> => {
  const { columns, members, models, period, from, to, timeZone, creditsPerUsd, tolerance } = options
  const given = {
    vendor,
    columns,
    members: members === undefined ? undefined : await readNamePairs(members),
    models: models === undefined ? undefined : await readNamePairs(models),
    period,
    from,
    to,
    time_zone: timeZone,
    credits_per_usd: creditsPerUsd,
    tolerance,
  }
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined))
}

const readColumn = (text: string, before: Readonly<Record<string, string>> = {}): Readonly<Record<string, string>> => {
  const [, field = '', name = ''] = /^([^=]+)=(.+)$/s.exec(text) ?? []
  if (field === '') throw new InvalidArgumentError('Must be FIELD=NAME, such as date=Day.')
  return { ...before, [field]: name }
}
