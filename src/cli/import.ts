/** `copilot-credits import`: charges messages from files, in the database or through a running service. */
import { type Command, InvalidArgumentError, Option } from 'commander'
import type { Environment } from '#config.ts'
import { EXIT_CODES } from '#exit-codes.ts'
import { encodingNamed } from '#formats/text-encoding.ts'
import { elapsedMs, type MonotonicMs, monotonicNow } from '#model/clock.ts'
import { ServiceError } from '#model/errors.ts'
import { FIELDS_SHOWN, type Field, isField } from './csv-columns.ts'
import { CommandFailed, WrongFile } from './failure.ts'
import type { FileEntry } from './file-entry.ts'
import { takeAll } from './import-batches.ts'
import { createTally, showOutcome, type Tally } from './import-summary.ts'
import { openTarget, type Result, type Target, type TargetOptions } from './import-targets.ts'
import { checkMessageFile, FORMATS, type Format, openMessageFile } from './message-files.ts'
import { openRejects, type Rejects } from './rejects.ts'
import { readReports } from './report-file.ts'
import { grouped, progressBar, shown, type Terminal } from './terminal.ts'

type Options = TargetOptions & {
  readonly format?: Format
  readonly encoding?: string
  readonly column: ReadonlyMap<Field, string>
  readonly ignoreColumn: ReadonlySet<string>
  readonly reports?: string
  readonly rejects: string
  readonly stringIds?: true
  readonly json?: true
}

export const addImportCommand = (
  program: Command,
  terminal: Terminal,
  environment: () => Environment,
  exit: (code: number) => void,
): void => {
  program
    .command('import')
    .summary('Charge messages from files')
    .description(
      'Charge messages from JSON, NDJSON or CSV files, plain or gzip, in UTF-8 or with a byte order mark.\n\n' +
        'JSON is {"messages":[…]}, […] or a sequence of objects. CSV has a header row with id, text, timestamp and, ' +
        'optionally, report_id, user_id, model, usage.input_tokens, quantities.pages and the like, separated by commas, ' +
        'semicolons, tabs or vertical bars.\n\n' +
        'An invalid message is rejected with its line number; the others are charged. You can repeat or resume an import: ' +
        'messages that were charged before count as duplicates. The exit code is 1 if any message was rejected, in ' +
        'conflict or without a price, or if a file could not be read.',
    )
    .argument('<file...>', 'Files to import; - is standard input')
    .addOption(new Option('--format <format>', 'Format of the files, if it cannot be detected').choices(FORMATS))
    .addOption(
      new Option(
        '--encoding <name>',
        'Encoding of files that are not UTF-8, such as windows-1252, iso-8859-15 or utf-16le',
      ).argParser(readEncoding),
    )
    .addOption(
      new Option('--column <field=name>', 'CSV column that holds a field, such as text=prompt; repeatable')
        .argParser(readColumn)
        .default(new Map(), 'columns named like the fields'),
    )
    .addOption(
      new Option('--ignore-column <name>', 'CSV column to ignore, or * for all unknown columns; repeatable')
        .argParser((name: string, before: ReadonlySet<string>) => new Set([...before, name]))
        .default(new Set(), 'none'),
    )
    .option('--string-ids', 'Keep ids in CSV as strings, even if they are integers')
    .option('--organization <id>', 'Organization to charge', 'default')
    .option('--reports <file>', 'File with {"reports":[…]}; sets these prices in the catalogue first')
    .option('--url <url>', 'Send to a running service instead of the database')
    .option('--key <key>', 'API key for --url (default: COPILOT_CREDITS_KEY)')
    .option('--rejects <file>', 'File for rejected and conflicting messages', 'import-rejects.ndjson')
    .option('--json', 'Print the summary as JSON')
    .action(async (paths: readonly string[], options: Options) => {
      exit(await runImport(paths, options, terminal, environment()))
    })
}

const readEncoding = (label: string): string => {
  const encoding = encodingNamed(label)
  if (encoding === undefined)
    throw new InvalidArgumentError(
      'Must be a name from the WHATWG Encoding Standard, such as windows-1252 or utf-16le.',
    )
  return encoding
}

const readColumn = (text: string, before: ReadonlyMap<Field, string>): ReadonlyMap<Field, string> => {
  const [, field = '', column = ''] = /^([^=]+)=(.+)$/s.exec(text) ?? []
  if (!isField(field)) throw new InvalidArgumentError(`Must be FIELD=NAME, where FIELD is one of ${FIELDS_SHOWN}.`)
  return new Map([...before, [field, column]])
}

/** Resolves to the exit code. However the import ends, the summary says what is charged and how to resume. */
const runImport = async (
  paths: readonly string[],
  options: Options,
  { out, err }: Terminal,
  environment: Environment,
): Promise<number> => {
  for (const path of paths) await checkMessageFile(path)
  const reports = options.reports === undefined ? [] : await readReports(options.reports)
  const rejects = openRejects(options.rejects, [...paths, ...(options.reports === undefined ? [] : [options.reports])])
  const stopping = stopOnSignal()
  const tally = createTally()
  const started = monotonicNow()
  const failures: string[] = []
  let target: Target | undefined
  try {
    target = await openTarget(environment, options, stopping.signal)
    for (const each of reports) await target.setReport(each)
    for (const path of paths) {
      try {
        await importFile(path, paths.length > 1, options, { target, rejects, tally, err, stop: stopping.signal })
      } catch (error) {
        // An invalid file does not affect the next one. Every other failure ends the import.
        if (!(error instanceof WrongFile)) throw error
        failures.push(error.message)
      }
    }
    rejects.flush()
  } catch (error) {
    if (!(error instanceof CommandFailed || error instanceof ServiceError)) throw error
    if (target === undefined) throw error
    failures.push(error.message)
    failures.push(...flushAtLast(rejects))
  } finally {
    stopping.end()
    rejects.close()
    await target?.close()
  }
  const seconds = elapsedMs(started, monotonicNow()) / 1000
  showOutcome({ out, err }, options, { tally, rejects, failures, seconds })
  const isWhole = failures.length === 0 && rejects.count() === 0 && tally.unpriced().size === 0
  return isWhole ? EXIT_CODES.ok : EXIT_CODES.failed
}

/** Lists what was rejected so far, even after a failure. */
const flushAtLast = (rejects: Rejects): readonly string[] => {
  try {
    rejects.flush()
    return []
  } catch (error) {
    if (!(error instanceof CommandFailed)) throw error
    return [error.message]
  }
}

type Context = {
  readonly target: Target
  readonly rejects: Rejects
  readonly tally: Tally
  readonly err: Terminal['err']
  readonly stop: AbortSignal
}

const importFile = async (
  path: string,
  isOneOfMany: boolean,
  options: Options,
  { target, rejects, tally, err, stop }: Context,
): Promise<void> => {
  const started = monotonicNow()
  const before = tally.done()
  const doneHere = () => tally.done() - before
  const label = isOneOfMany ? `importing ${shown(path)}` : 'importing'
  const unit = () => `${grouped(doneHere())} messages, ${grouped(rateOf(doneHere(), started))}/s`
  const bar = progressBar(err, label, unit)
  let total: number | undefined
  const file = await openMessageFile(path, {
    progress: (bytes) => bar.show(bytes, total),
    format: options.format,
    encoding: options.encoding,
    stringIds: options.stringIds === true,
    columns: options.column,
    ignored: options.ignoreColumn,
    note: (text) => {
      bar.clear()
      err.write(`${shown(`${path}: ${text}`)}\n`)
    },
    stop,
  })
  total = file.bytes
  const tell = (entry: FileEntry, result: Result): void => {
    tally.add(entry, result)
    if (result.status === 'rejected' || result.status === 'conflict') rejects.add(path, entry, result)
  }
  try {
    await takeAll(file.entries, target, tell, tally.leave)
    if (stop.aborted) throw stop.reason
  } finally {
    bar.clear()
  }
}

/** The first signal stops the import gracefully. The second one has its default effect and kills the process. */
const stopOnSignal = () => {
  const controller = new AbortController()
  const onSignal = (signal: NodeJS.Signals): void => controller.abort(new CommandFailed(`stopped by ${signal}`))
  process.once('SIGINT', onSignal).once('SIGTERM', onSignal)
  return {
    signal: controller.signal,
    end: (): void => {
      process.off('SIGINT', onSignal).off('SIGTERM', onSignal)
    },
  }
}

const rateOf = (done: number, started: MonotonicMs): number =>
  Math.round(done / Math.max(0.001, elapsedMs(started, monotonicNow()) / 1000))
