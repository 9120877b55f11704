/**
 * The ledger in one SQLite file. One thread writes and another reads, so that neither blocks the other or the main thread, which
 * serves HTTP.
 */
import { MessageChannel, Worker } from 'node:worker_threads'
import type { AppendBatch, AppendOutcome, GroupField, Ledger, RangeTotal } from '#ledger/ledger.ts'
import type { StoreObserver } from '#ledger/notices.ts'
import { creditsSum } from '#model/credits.ts'
import { StoreError } from '#model/errors.ts'
import type { Organization } from '#model/organization.ts'
import type { CheckResult } from './check-thread.ts'
import { damaged, isCheckedAtOpening, type SqliteFile } from './database.ts'
import type { LookUpMethod, ReaderFile, ReaderRequest, ReadMethod } from './reader-thread.ts'
import { toColumns } from './record-columns.ts'
import { Thread } from './thread.ts'
import { Turns } from './turns.ts'
import type { Part } from './usage-reader.ts'
import type { WriterEvent, WriterReady, WriterRequest } from './writer-thread.ts'

/**
 * Opens or creates the file. Throws StoreError if it cannot be written, is damaged, is not the file that was there before, or was
 * written by a newer release. If `observe` is given, a large file is checked in the background; once damage is found, every call
 * fails.
 */
export const createSqliteLedger = async (file: SqliteFile, observe?: StoreObserver): Promise<Ledger> => {
  // The writer starts first because it creates the file and its tables.
  const writer = await Thread.start<WriterRequest['call'], WriterReady, WriterEvent>(
    new URL('./writer-thread.ts', import.meta.url),
    file,
    // Not awaited. If the reader has failed, its other calls report it.
    ({ readsMaxMs }) => void reader.call({ method: 'endLongReads', maxMs: readsMaxMs }).catch(() => {}),
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

  const lookUp = <T>(method: LookUpMethod, ...args: readonly unknown[]): Promise<T> =>
    damage === undefined ? reader.call<T>({ method, args }) : Promise.reject(damage)
  type WriteCall = Exclude<WriterRequest['call'], { readonly method: 'append' }>
  const write = <T>(method: WriteCall['method'], ...args: readonly unknown[]): Promise<T> =>
    damage === undefined ? writer.call<T>({ method, args }) : Promise.reject(damage)

  let lastSession = 0

  const append = (batch: AppendBatch): Promise<readonly AppendOutcome[]> => {
    if (batch.records.length === 0) return Promise.resolve([])
    if (damage !== undefined) return Promise.reject(damage)
    const columns = toColumns(batch)
    const buffers = [columns.at, columns.dayStarts, columns.credits, columns.measurements, columns.measurementEnds]
    const transfer = [...buffers, columns.digests].map(({ buffer }) => buffer as ArrayBuffer)
    return writer.call({ method: 'append', args: [columns] }, transfer)
  }

  const turns = new Turns(READS_MAX, WAITING_MAX)

  const read: Ledger['read'] = async (organizationId, reading, { signal } = {}) => {
    if (damage !== undefined) throw damage
    const leave = await turns.enter(signal)
    const session = ++lastSession
    const call = async <R>(method: ReadMethod, ...args: readonly unknown[]): Promise<R> => {
      signal?.throwIfAborted()
      return reader.call<R>({ session, method, args: [organizationId, ...args] })
    }
    const piecewise = async <R, Query>(method: ReadMethod, query: Query): Promise<R[]> => {
      const all: R[] = []
      for (let rest: Query | undefined = query; rest !== undefined; ) {
        const part: Part<R, Query> = await call(method, rest)
        for (const each of part.found) all.push(each)
        rest = part.rest
      }
      return all
    }
    try {
      return await reading({
        page: (query) => piecewise('page', query),
        charges: (messageId) => call('charges', messageId),
        dayTotals: (query) => piecewise('dayTotals', query),
        rangeTotals: async (query) => mergePieces(await piecewise('rangeTotals', query), query.group),
        version: (range) => call('version', range),
        span: () => call('span'),
      })
    } finally {
      // Not awaited, as above.
      reader.call({ session, method: 'end' }).catch(() => {})
      leave()
    }
  }

  const updateOrganization = async (
    id: string,
    change: (organization: Organization) => Organization,
  ): Promise<Organization | undefined> => {
    for (let attempt = 0; attempt < UPDATE_ATTEMPTS; attempt++) {
      const before = await lookUp<Organization | undefined>('organization', id)
      if (before === undefined) return undefined
      const after = change(before)
      if (await write<boolean>('replaceOrganization', before, after)) return after
    }
    throw new StoreError(
      `organization ${id} was changed concurrently in each of ${UPDATE_ATTEMPTS} attempts to update it`,
    )
  }

  return {
    append,
    read,
    organizations: {
      find: (id) => lookUp('organization', id),
      list: (page) => lookUp('organizations', page),
      create: (organization) => write('createOrganization', organization),
      update: updateOrganization,
    },
    keys: {
      create: (key) => write('createKey', key),
      find: (organizationId, hash) => lookUp('findKey', organizationId, hash),
      list: (organizationId) => lookUp('keys', organizationId),
      revoke: (organizationId, id, at) => write('revokeKey', organizationId, id, at),
      any: () => lookUp('anyKey'),
    },
    reports: {
      find: (id) => lookUp('report', id),
      put: (report) => write('putReport', report),
      remove: (id) => write('removeReport', id),
    },
    isEmpty: () => lookUp('isEmpty'),
    contentKey: () => write('contentKey'),
    latestInstant: (now) => write('latestInstant', now),
    check: async () => {
      await write('check', Date.now())
      await lookUp('isEmpty')
    },
    close: async () => {
      await check?.stop()
      await writer.close()
      await reader.close()
    },
  }
}

const UPDATE_ATTEMPTS = 1000
/** Limited because each read has its own connection with its own page cache. */
const READS_MAX = 32
const WAITING_MAX = 1000

/** A range that was read in pieces has a total per group for each piece. Adds them up. */
const mergePieces = (totals: readonly RangeTotal[], group: readonly GroupField[]): readonly RangeTotal[] => {
  const keyOf = ({ reportId, member }: RangeTotal): readonly string[] =>
    group.map((field) => (field === 'report' ? String(reportId ?? '') : (member ?? '')))
  const groups = Map.groupBy(totals, (total) => JSON.stringify([total.range, ...keyOf(total)]))
  if (groups.size === totals.length) return totals
  const merged = [...groups.values()].flatMap(([first, ...more]) =>
    first === undefined ? [] : more.reduce(add, first),
  )
  return merged.sort((one, other) => {
    const [ours, theirs] = [keyOf(one), keyOf(other)]
    const differing = ours.findIndex((key, index) => key !== theirs[index])
    if (one.range !== other.range || differing < 0) return one.range - other.range
    return Buffer.compare(Buffer.from(ours[differing] ?? ''), Buffer.from(theirs[differing] ?? ''))
  })
}

const add = (one: RangeTotal, other: RangeTotal): RangeTotal => ({
  ...one,
  ...(other.reportName !== undefined &&
    Buffer.compare(Buffer.from(other.reportName), Buffer.from(one.reportName ?? '')) > 0 && {
      reportName: other.reportName,
    }),
  messages: one.messages + other.messages,
  credits: creditsSum(one.credits + other.credits),
})

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
