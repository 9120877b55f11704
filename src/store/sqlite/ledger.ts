/**
 * The ledger in one SQLite file. One thread writes and another reads, so that neither blocks the other or the main thread, which
 * serves HTTP.
 */
import { MessageChannel, Worker } from 'node:worker_threads'
import type { Command, CommandKind, Outcome } from '#ledger/commands.ts'
import type { GroupedRange, Ledger } from '#ledger/ledger.ts'
import type { MigrationObserver, StoreObserver } from '#ledger/notices.ts'
import type { Cell } from '#model/cell.ts'
import type { StoreError } from '#model/errors.ts'
import type { RecordedLine } from '#model/usage-record.ts'
import { namesIn } from '../shared/others.ts'
import type { NamedTotal } from '../shared/rows.ts'
import { type DayPart, mergeDays, mergeRanges, mergeTotals, type RangePart } from '../shared/totals.ts'
import type { CheckResult } from './check-thread.ts'
import { isCheckedAtOpening, type SqliteFile } from './database.ts'
import { damaged } from './integrity.ts'
import type { LookUps } from './lookups.ts'
import type { LookUpMethod, ReaderFile, ReaderRequest, ReadMethod } from './reader-thread.ts'
import { Thread } from './thread.ts'
import { Turns } from './turns.ts'
import type {
  OtherTotalsRest,
  PageRest,
  Part,
  PricedOtherwiseRest,
  RangeTotalsRest,
  TotalsRest,
  UsageReader,
} from './usage-reader.ts'
import type { WriterCalls, WriterEvent, WriterReady, WriterRequest } from './writer-thread.ts'

/**
 * Opens or creates the file, or migrates an older one, which can take minutes. Throws StoreError if it cannot be written, is damaged, is not the file that was there before, or was
 * written by a newer release. If `observe` is given, a large file is checked in the background; once damage is found, every call
 * fails.
 */
export const createSqliteLedger = async (
  file: SqliteFile,
  observe?: StoreObserver,
  observeMigration?: MigrationObserver,
): Promise<Ledger> => {
  // The writer starts first because it creates the file and its tables.
  const writer = await Thread.start<WriterRequest['call'], WriterReady, WriterEvent>(
    new URL('./writer-thread.ts', import.meta.url),
    file,
    (event) => {
      if ('notice' in event) observe?.(event.notice)
      // Not awaited. If the reader has failed, its other calls report it.
      else void reader.call({ method: 'endLongReads', maxMs: event.readsMaxMs }).catch(() => {})
    },
    observeMigration,
  )
  const { opened, notices } = writer.ready
  const reader = await startReader({ path: file.path, opened }).catch(async (error) => {
    await writer.close()
    throw error
  })
  for (const notice of notices) observe?.(notice)
  let damage: StoreError | undefined
  const check = isCheckedAtOpening(file.path) || observe === undefined ? undefined : checkInBackground(file.path)
  check?.result.then(({ findings, durationMs }) => {
    const isSound = findings.length === 0
    if (!isSound) damage = damaged(file.path, findings)
    const message = damage?.message ?? `${file.path} was checked in ${Math.round(durationMs)} ms: no damage found`
    observe?.({ severity: isSound ? 'info' : 'error', message, isSound })
  })

  const lookUp = <M extends LookUpMethod>(
    method: M,
    ...args: Parameters<LookUps[M]>
  ): Promise<ReturnType<LookUps[M]>> => (damage === undefined ? reader.call({ method, args }) : Promise.reject(damage))
  const write = <M extends keyof WriterCalls>(
    method: M,
    ...args: Parameters<WriterCalls[M]>
  ): Promise<ReturnType<WriterCalls[M]>> =>
    // The compiler cannot see that the arguments of a call are those of its method.
    damage === undefined ? writer.call({ method, args } as WriterRequest['call']) : Promise.reject(damage)

  let lastSession = 0

  const turns = new Turns(READS_MAX, WAITING_MAX)

  const read: Ledger['read'] = async (organizationId, reading, { signal } = {}) => {
    if (damage !== undefined) throw damage
    const leave = await turns.enter(signal)
    const session = ++lastSession
    const call = async <M extends ReadMethod>(
      method: M,
      ...args: ArgumentsAfterFirst<UsageReader[M]>
    ): Promise<ReturnType<UsageReader[M]>> => {
      signal?.throwIfAborted()
      return reader.call({ session, method, args: [organizationId, ...args] })
    }
    const piecewise = async <R, Query>(
      piece: (query: Query) => Promise<Part<R, Query>>,
      query: Query,
    ): Promise<R[]> => {
      const all: R[] = []
      for (let rest: Query | undefined = query; rest !== undefined; ) {
        const part: Part<R, Query> = await piece(rest)
        for (const each of part.found) all.push(each)
        rest = part.rest
      }
      return all
    }
    const cells = new Map<number, Cell>()
    const otherTotals = async (query: GroupedRange): Promise<readonly DayPart[]> =>
      namesIn(query).length === 0 ? [] : piecewise<DayPart, OtherTotalsRest>((rest) => call('otherTotals', rest), query)
    try {
      return await reading({
        page: (query) => piecewise<RecordedLine, PageRest>((rest) => call('page', rest), query),
        charges: (messageId) => call('charges', messageId),
        dayTotals: async (query) =>
          mergeDays(
            [
              ...(await piecewise<DayPart, GroupedRange>((rest) => call('dayTotals', rest), query)),
              ...(await otherTotals(query)),
            ],
            query.group,
          ),
        totals: async (query) =>
          mergeTotals(
            [
              ...(await piecewise<NamedTotal, TotalsRest>((rest) => call('totals', rest), query)),
              ...(await otherTotals(query)),
            ],
            query.group,
          ),
        rangeTotals: async (query) =>
          mergeRanges(
            await piecewise<RangePart, RangeTotalsRest>((rest) => call('rangeTotals', rest), query),
            query.group,
          ),
        version: (range) => call('version', range),
        span: () => call('span'),
        closedUntil: () => call('closedUntil'),
        pricedOtherwise: async (query) => {
          const counts = await piecewise<number, PricedOtherwiseRest>((rest) => call('pricedOtherwise', rest), query)
          return counts.reduce((sum, count) => sum + count, 0)
        },
        keptCharges: async (query) => {
          const { columns, cells: found } = await call('keptCharges', query)
          const ids = found.map((cell) => (typeof cell === 'number' ? cell : cell.cellId))
          const missing = [...new Set(ids)].filter((id) => !cells.has(id))
          const sent = missing.length === 0 ? [] : await call('cells', missing)
          for (const [index, cell] of sent.entries()) cells.set(missing[index] as number, cell)
          const countedCells = ids.map((id) => cells.get(id) as Cell)
          const reportedOf = (cell: Cell, index: number): Cell => {
            const kept = found[index]
            return typeof kept === 'object' ? kept.reported : cell
          }
          return { ...columns, cells: countedCells.map(reportedOf), countedCells }
        },
      })
    } finally {
      // Not awaited, as above.
      reader.call({ session, method: 'end' }).catch(() => {})
      leave()
    }
  }

  return {
    append: async (batch) => (batch.priced.count === 0 ? undefined : write('append', batch)),
    decide: <K extends CommandKind>(organizationId: string, command: Command<K>) =>
      write('decide', organizationId, command as Command) as Promise<Outcome<K>>,
    read,
    organizations: {
      find: (id) => lookUp('organization', id),
      list: (page) => lookUp('organizations', page),
      days: (ranges) => lookUp('daysOf', ranges),
      activity: (ids) => lookUp('activityOf', ids),
    },
    keys: {
      find: (organizationId, hash) => lookUp('findKey', organizationId, hash),
      list: (organizationId) => lookUp('keys', organizationId),
      any: () => lookUp('anyKey'),
      used: (organizationId, hash, at) => write('keyUsed', organizationId, hash, at),
    },
    reports: {
      find: (id) => lookUp('report', id),
      list: (page) => lookUp('reports', page),
      put: (report) => write('putReport', report),
      remove: (id) => write('removeReport', id),
    },
    rateCards: {
      put: (card) => write('putCard', card),
      find: (version) => lookUp('card', version),
      list: () => lookUp('cards'),
      inForce: (organizationId) => lookUp('cardsInForce', organizationId),
      useByDefault: (use) => write('useCardByDefault', use),
    },
    isEmpty: () => lookUp('isEmpty'),
    contentKey: () => write('contentKey'),
    latestInstant: (now) => write('latestInstant', now),
    check: async () => {
      await write('check', Date.now())
      await lookUp('isEmpty')
      return []
    },
    close: async () => {
      await check?.stop()
      await writer.close()
      await reader.close()
    },
  }
}

type ArgumentsAfterFirst<F> = F extends (first: string, ...rest: infer Rest) => unknown ? Rest : never

/** Limited because each read has its own connection with its own page cache. */
const READS_MAX = 32
const WAITING_MAX = 1000

const startReader = (file: ReaderFile): Promise<Thread<ReaderRequest['call'], unknown>> =>
  Thread.start(new URL('./reader-thread.ts', import.meta.url), file)

const checkInBackground = (path: string) => {
  const { port1, port2 } = new MessageChannel()
  const worker = new Worker(new URL('./check-thread.ts', import.meta.url), {
    workerData: { file: { path }, port: port2 },
    transferList: [port2],
  })
  const result = new Promise<CheckResult>((resolve) => {
    port1.once('message', resolve)
    worker.once('error', ({ message }: Error) => resolve({ findings: [message], durationMs: 0 }))
  })
  return { result, stop: () => worker.terminate() }
}
