/** `copilot-credits import`: files of messages into the ledger, straight or over HTTP. */
import { createWriteStream, readFileSync, type WriteStream } from 'node:fs'
import { setTimeout as wait } from 'node:timers/promises'
import { type Command, Option } from 'commander'
import { type Environment, readConfig } from '#config.ts'
import { EXIT_CODES } from '#exit-codes.ts'
import type { IntakeCounts } from '#metering/intake.ts'
import { creditsFromDecimal } from '#model/credits.ts'
import type { Id } from '#model/report.ts'
import { CommandFailed } from './failure.ts'
import { type FileEntry, FORMATS, type Format, openMessageFile } from './message-files.ts'
import { grouped, progressBar, shown, styled, type Terminal, table } from './terminal.ts'

type Options = {
  readonly format?: Format
  readonly organization: string
  readonly reports?: string
  readonly url?: string
  readonly key?: string
  readonly rejects: string
  readonly stringIds?: true
  readonly json?: true
}

/** What became of an entry, as the service and the library say it. */
type Result = { readonly status: string; readonly id?: Id; readonly field?: string; readonly reason?: string }

type CatalogueEntry = { readonly id: Id; readonly name: string; readonly credit_cost: number }

type Target = {
  readonly setReport: (report: CatalogueEntry) => Promise<void>
  readonly take: (entries: readonly unknown[]) => Promise<readonly Result[]>
  readonly close: () => Promise<void>
}

const ENTRIES_A_BATCH = 1000
const BYTES_A_BATCH = 4 * 1024 * 1024
const BATCHES_AT_ONCE = 4
const REASONS_SHOWN = 5

export const addImportCommand = (
  program: Command,
  { out, err }: Terminal,
  environment: () => Environment,
  exit: (code: number) => void,
): void => {
  program
    .command('import')
    .summary('files of messages into the ledger')
    .description(
      'Charges the messages of files: JSON {"messages":[…]}, NDJSON, or CSV whose first line names the columns id, text, ' +
        'timestamp, report_id and user_id; plain or gzip. To repeat it, or to go on after it was killed, is safe: what was ' +
        'charged is a duplicate then. Exit code 1 if anything was rejected or in conflict.',
    )
    .argument('<file...>', 'files; - is standard input')
    .addOption(
      new Option('--format <format>', 'what the files are, where their names and beginnings do not say').choices(
        FORMATS,
      ),
    )
    .option('--organization <id>', 'whose messages', 'default')
    .option('--reports <file>', 'a file {"reports":[…]} whose prices are set in the catalogue first')
    .option('--url <url>', 'a running service to send them to, in place of the database')
    .option('--key <key>', 'its API key (COPILOT_CREDITS_KEY)')
    .option('--rejects <file>', 'where rejected and conflicting entries are listed', 'import-rejects.ndjson')
    .option('--string-ids', 'ids of CSV are texts, even where they read as integers')
    .option('--json', 'print the summary as JSON')
    .action(async (paths: readonly string[], options: Options) => {
      const { JsonListing } = await import('#service.ts')
      const target =
        options.url === undefined ? await openDirect(environment(), options) : openRemote(environment(), options)
      const rejects = createRejects(options.rejects)
      const counts: IntakeCounts = { accepted: 0, duplicate: 0, conflict: 0, rejected: 0 }
      const startedAt = performance.now()
      try {
        if (options.reports !== undefined) for (const each of readReports(options.reports)) await target.setReport(each)
        for (const path of paths) {
          const label = paths.length > 1 ? `importing ${shown(path)}` : 'importing'
          let done = 0
          const bar = progressBar(err, label, () => `${grouped(done)} messages, ${grouped(rateOf(done, startedAt))}/s`)
          let total: number | undefined
          const file = await openMessageFile(path, {
            progress: (bytes) => bar.show(bytes, total),
            format: options.format,
            stringIds: options.stringIds === true,
            JsonListing,
          })
          total = file.bytes
          const tell = (entry: FileEntry, result: Result): void => {
            done++
            counts[result.status as keyof IntakeCounts]++
            if (result.status === 'rejected' || result.status === 'conflict') rejects.add(path, entry.place, result)
          }
          try {
            await takeAll(file.entries, target, tell)
          } finally {
            bar.clear()
          }
        }
      } finally {
        await rejects.close()
        await target.close()
      }
      const seconds = (performance.now() - startedAt) / 1000
      out.write(options.json === true ? `${JSON.stringify(counts)}\n` : summary(out, counts, seconds))
      for (const line of rejects.first) err.write(`${styled(err, 'red', line)}\n`)
      if (rejects.count() > rejects.first.length)
        err.write(`… and ${grouped(rejects.count() - rejects.first.length)} more\n`)
      if (rejects.count() > 0) err.write(`all of them are in ${shown(options.rejects)}\n`)
      exit(rejects.count() > 0 ? EXIT_CODES.failed : EXIT_CODES.ok)
    })
}

const rateOf = (done: number, startedAt: number): number =>
  Math.round(done / Math.max(0.001, (performance.now() - startedAt) / 1000))

/** Some batches are under way at once; results are told in the order of the file. */
const takeAll = async (
  entries: AsyncIterable<FileEntry>,
  target: Target,
  tell: (entry: FileEntry, result: Result) => void,
): Promise<void> => {
  const underWay: Promise<void>[] = []
  let turn: Promise<void> = Promise.resolve()
  const send = (batch: readonly FileEntry[]): void => {
    const results = target.take(batch.flatMap((each) => ('entry' in each ? [each.entry] : [])))
    const before = turn
    turn = (async () => {
      const [taken] = await Promise.all([results, before])
      let next = 0
      for (const each of batch) {
        const result = 'entry' in each ? taken[next++] : { status: 'rejected', field: '', reason: each.problem }
        if (result === undefined) throw new CommandFailed('fewer results came than messages were sent')
        tell(each, result)
      }
    })()
    // Whoever waits for it hears of a failure.
    turn.catch(() => {})
    underWay.push(turn)
  }
  let batch: FileEntry[] = []
  let bytes = 0
  for await (const entry of entries) {
    batch.push(entry)
    bytes += sizeOf(entry)
    if (batch.length < ENTRIES_A_BATCH && bytes < BYTES_A_BATCH) continue
    send(batch)
    batch = []
    bytes = 0
    if (underWay.length >= BATCHES_AT_ONCE) await underWay.shift()
  }
  if (batch.length > 0) send(batch)
  await Promise.all(underWay)
}

const sizeOf = (entry: FileEntry): number => {
  const text = 'entry' in entry ? (entry.entry as { readonly text?: unknown } | null)?.text : undefined
  return typeof text === 'string' ? text.length : 0
}

const openDirect = async (environment: Environment, { organization: id }: Options): Promise<Target> => {
  const { openStore } = await import('#service.ts')
  const store = await openStore(readConfig(environment))
  const organization = await store.organizations.find(id)
  if (organization === undefined) {
    await store.close()
    throw new CommandFailed(`there is no organization ${id}`)
  }
  return {
    setReport: async ({ id: reportId, name, credit_cost: cost }) => {
      const creditCost = creditsFromDecimal(cost)
      if (creditCost === undefined || cost < 0)
        throw new CommandFailed(`report ${reportId}: credit_cost must be at least 0 and have six decimals at most`)
      await store.reports.put({ id: reportId, name, creditCost })
    },
    take: (entries) => store.intake.take(organization, entries),
    close: store.close,
  }
}

const openRemote = (environment: Environment, { url = '', key, organization }: Options): Target => {
  const base = URL.parse(url)
  if (base === null || !/^https?:$/.test(base.protocol))
    throw new CommandFailed('--url must be an http or https URL', 'usage')
  const secret = key ?? environment['COPILOT_CREDITS_KEY']
  const headers = {
    'content-type': 'application/json',
    ...(secret !== undefined && { authorization: `Bearer ${secret}` }),
  }
  const send = async (method: string, path: string, body: unknown): Promise<unknown> => {
    const address = new URL(`${base.pathname.replace(/\/$/, '')}${path}`, base)
    if (organization !== 'default') address.searchParams.set('organization', organization)
    // To send it again is always safe: what was charged is a duplicate then.
    for (let attempt = 1; ; attempt++) {
      const outcome = await fetch(address, { method, headers, body: JSON.stringify(body) }).catch(
        (error: Error) => error,
      )
      const mayPass = outcome instanceof Error || outcome.status === 429 || outcome.status >= 500
      if (!(outcome instanceof Error) && outcome.ok) return outcome.json()
      if (!mayPass || attempt === ATTEMPTS)
        throw new CommandFailed(`${method} ${address.href}: ${await reasonOf(outcome)}`)
      await wait(Math.min(5000, 100 * 2 ** attempt))
    }
  }
  return {
    setReport: async ({ id, name, credit_cost }) => {
      await send('PUT', `/v1/reports/${encodeURIComponent(id)}`, { name, credit_cost })
    },
    take: async (entries) =>
      entries.length === 0
        ? []
        : ((await send('POST', '/v1/messages', { messages: entries })) as { readonly results: readonly Result[] })
            .results,
    close: async () => {},
  }
}

const ATTEMPTS = 10

const reasonOf = async (outcome: Response | Error): Promise<string> => {
  if (outcome instanceof Error) return outcome.cause instanceof Error ? outcome.cause.message : outcome.message
  const { detail } = (await outcome.json().catch(() => ({}))) as { readonly detail?: string }
  return `status ${outcome.status}${detail === undefined ? '' : `: ${detail}`}`
}

const readReports = (path: string): readonly CatalogueEntry[] => {
  try {
    const { reports } = JSON.parse(readFileSync(path, 'utf8')) as { readonly reports?: unknown }
    if (!Array.isArray(reports)) throw new Error('it must be an object with an array "reports"')
    return reports as CatalogueEntry[]
  } catch (error) {
    throw new CommandFailed(`${path}: ${error instanceof Error ? error.message : error}`)
  }
}

/** Never a text: the place in the file, the id, and what is wrong. */
const createRejects = (path: string) => {
  let count = 0
  let stream: WriteStream | undefined
  const first: string[] = []
  return {
    first,
    count: () => count,
    add: (file: string, place: number, { status, id, field = '', reason }: Result): void => {
      count++
      const why = reason ?? 'the id is taken by a message with other content'
      stream ??= createWriteStream(path)
      const line = { file, place, ...(id !== undefined && { id }), status, ...(field !== '' && { field }), reason: why }
      stream.write(`${JSON.stringify(line)}\n`)
      if (first.length < REASONS_SHOWN) {
        const name = id === undefined ? '' : ` (id ${JSON.stringify(id)})`
        first.push(shown(`${file}, entry ${place}${name}: ${field === '' ? '' : `${field} `}${why}`))
      }
    },
    close: (): Promise<void> =>
      new Promise((resolve, reject) => {
        if (stream === undefined) {
          resolve()
          return
        }
        stream.on('error', (error) => reject(new CommandFailed(`${path}: ${error.message}`)))
        stream.end(() => resolve())
      }),
  }
}

const summary = (out: Terminal['out'], counts: IntakeCounts, seconds: number): string => {
  const total = Object.values(counts).reduce((sum, count) => sum + count, 0)
  const columns = [
    { title: 'messages', align: 'left' },
    { title: 'count', align: 'right' },
  ] as const
  const rows = Object.entries(counts).map(([status, count]) => [status, grouped(count)])
  const rate = Math.round(total / Math.max(seconds, 0.001))
  return `${table(out, columns, rows, [['all', grouped(total)]])}${seconds.toFixed(1)} s, ${grouped(rate)}/s\n`
}
