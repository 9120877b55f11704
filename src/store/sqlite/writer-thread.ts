/**
 * The thread that writes. It writes all waiting requests in one transaction with one sync, so under load many requests share
 * a commit. Each is answered only after the commit.
 */
import type { DatabaseSync } from 'node:sqlite'
import { type MessagePort, receiveMessageOnPort, workerData } from 'node:worker_threads'
import type { CardUse, Command } from '#ledger/commands.ts'
import type { AppendBatch, StoredCard } from '#ledger/ledger.ts'
import type { MigrationObserver, StoreNotice, StoreObserver } from '#ledger/notices.ts'
import type { EpochMs } from '#model/organization.ts'
import type { Id, Report } from '#model/report.ts'
import {
  carryOut,
  contentKey,
  heartbeat,
  keyUsed,
  latestInstant,
  putReport,
  removeReport,
} from '../shared/catalogue.ts'
import { Others } from '../shared/others.ts'
import { putCard, useCardByDefault } from '../shared/rate-cards.ts'
import { Cells } from './cells.ts'
import { type OpenedWriter, openWriter, type SqliteFile } from './database.ts'
import { advanceMark, type DatabaseMark, writeMarker, writeMarkerInBackground } from './database-mark.ts'
import type { FileGuard, OpenedFile } from './file-guard.ts'
import { createRun, type Run } from './lookups.ts'
import { RecordWriter } from './record-writer.ts'
import { type Reply, toFailure } from './thread-messages.ts'
import { WalLimit } from './wal-limit.ts'

export type WriterData = { readonly file: SqliteFile; readonly port: MessagePort }

export type WriterReady = { readonly opened: OpenedFile; readonly notices: readonly StoreNotice[] }

/** Reads that have lasted longer must end, or an operator should know something. */
export type WriterEvent = { readonly readsMaxMs: number } | { readonly notice: StoreNotice }

export type WriterCalls = ReturnType<typeof createCalls>

/** One of the calls, with its arguments. */
export type WriterRequest = {
  readonly id: number
  readonly call: {
    [Method in keyof WriterCalls]: { readonly method: Method; readonly args: Parameters<WriterCalls[Method]> }
  }[keyof WriterCalls]
}

/** Everything that the thread can be asked to write. Runs inside a transaction. */
const createCalls = (records: RecordWriter, run: Run) => ({
  append: (batch: AppendBatch) => records.append(batch),
  decide: (organizationId: string, command: Command): unknown => run(carryOut(organizationId, command)),
  keyUsed: (organizationId: string, hash: Uint8Array, at: EpochMs) => run(keyUsed(organizationId, hash, at)),
  putReport: (report: Report) => run(putReport(report)),
  removeReport: (id: Id) => run(removeReport(id)),
  putCard: (card: StoredCard) => run(putCard(card)),
  useCardByDefault: (use: CardUse) => run(useCardByDefault(use)),
  contentKey: () => run(contentKey()),
  latestInstant: (time: EpochMs) => run(latestInstant(time)),
  // A real, committed write: only that reaches the disk and notices if it is full.
  check: (time: EpochMs) => run(heartbeat(time)),
})

const ROWS_PER_TRANSACTION = 20_000
const IO_ERROR = 10

/** Everything that is open. After a disk failure, all of it is discarded and opened again. */
type Open = {
  readonly database: DatabaseSync
  readonly guard: FileGuard
  readonly walLimit: WalLimit
  readonly records: RecordWriter
  readonly calls: WriterCalls
}

class Writer {
  readonly #file: SqliteFile
  readonly #others: Others
  readonly opened: OpenedFile
  readonly notices: readonly StoreNotice[]
  #open: Open | undefined
  #markedAt = Number.NEGATIVE_INFINITY
  #markedGeneration: number | undefined
  /** Whether the marker has been written since the start. The first write is synchronous. */
  #hasMarker = false

  constructor(file: SqliteFile, observe: MigrationObserver, tell: StoreObserver) {
    this.#file = file
    this.#others = new Others({ namesMax: file.namesMax, observe: tell })
    const writer = openWriter(file, { observe })
    this.opened = writer.opened
    this.notices = writer.notices
    this.#open = this.#begin(writer)
  }

  #begin({ database, guard }: OpenedWriter): Open {
    const records = new RecordWriter(database, new Cells(database), this.#others)
    return {
      database,
      guard,
      walLimit: new WalLimit(database, guard, this.#file.walBytesMax),
      records,
      calls: createCalls(records, createRun(database)),
    }
  }

  /** Runs all requests in one transaction. Each one succeeds or fails by itself, but if the commit fails, all fail. */
  write(requests: readonly WriterRequest[]): readonly Reply[] {
    try {
      this.#open ??= this.#begin(openWriter(this.#file, { known: this.opened }))
      const { database, guard, walLimit } = this.#open
      guard.checkAgain()
      walLimit.beforeWriting()
      database.exec('BEGIN IMMEDIATE')
      const answers = requests.map((request) => this.#answerTo(request, this.#open as Open))
      const mark = this.#advanceMarkIfDue(this.#open)
      database.exec('COMMIT')
      // Must run before anything is acknowledged: writes to a file that was removed or renamed are lost.
      guard.check()
      if (mark !== undefined) this.#writeMarker(mark)
      return answers
    } catch (error) {
      this.#rollBack(error)
      const failure = toFailure(error)
      return requests.map(({ id }) => ({ id, failure }))
    }
  }

  /** Call after the answers were sent. */
  afterWriting(): void {
    this.#open?.walLimit.afterWriting()
  }

  #writeMarker(mark: DatabaseMark): void {
    // The data is committed and must be acknowledged even if this fails. A slightly old marker is still valid, and the next
    // transaction tries again.
    const failed = (): void => {
      this.#hasMarker = false
    }
    if (this.#hasMarker) {
      writeMarkerInBackground(this.#file.path, mark).catch(failed)
      return
    }
    try {
      writeMarker(this.#file.path, mark)
      this.#hasMarker = true
    } catch {
      failed()
    }
  }

  /** Reads that have lasted longer must end, because they keep the write-ahead log from being reset. Undefined: no limit. */
  get readsMaxMs(): number | undefined {
    return this.#open?.walLimit.readsMaxMs
  }

  /**
   * Advances the mark with the first write after a checkpoint, at most every ten seconds. This makes it possible to recognize a
   * copy of the file from before the checkpoint, and a file whose write-ahead log is missing.
   */
  #advanceMarkIfDue({ database, guard }: Open): DatabaseMark | undefined {
    const { mark } = guard
    const isNew = mark !== undefined && (mark.generation !== this.#markedGeneration || !this.#hasMarker)
    if (!isNew || performance.now() - this.#markedAt < MARK_EVERY_MS) return undefined
    this.#markedAt = performance.now()
    this.#markedGeneration = mark.generation
    return advanceMark(database)
  }

  #answerTo(request: WriterRequest, open: Open): Reply {
    const { database } = open
    database.exec('SAVEPOINT request')
    try {
      const value = perform(open.calls, request.call)
      database.exec('RELEASE request')
      return { id: request.id, value }
    } catch (error) {
      // Some failures, such as a full disk, roll back the whole transaction: then no request may be acknowledged.
      if (!database.isTransaction) throw error
      database.exec('ROLLBACK TO request; RELEASE request')
      open.records.rolledBack()
      return { id: request.id, failure: toFailure(error) }
    }
  }

  #rollBack(error: unknown): void {
    if (this.#open === undefined) return
    const { database, records } = this.#open
    records.rolledBack()
    if (database.isTransaction) database.exec('ROLLBACK')
    // After a failed sync, the file system's cache can no longer be trusted: open the file again.
    if (((error as { errcode?: number }).errcode ?? 0) % 256 !== IO_ERROR) return
    this.#open = undefined
    database.close()
  }

  close(): void {
    if (this.#open === undefined) return
    const { database } = this.#open
    try {
      this.#open.guard.check()
      database.exec('BEGIN IMMEDIATE')
      const mark = advanceMark(database)
      database.exec('COMMIT')
      writeMarker(this.#file.path, mark)
    } catch {
      // All data is committed already. The final mark only makes an older copy easier to recognize.
    } finally {
      database.close()
    }
  }
}

const MARK_EVERY_MS = 10_000

/** The compiler cannot see that the arguments of a call are those of its method. */
const perform = (calls: WriterCalls, { method, args }: WriterRequest['call']): unknown =>
  (calls[method] as (...values: readonly unknown[]) => unknown)(...args)

const { file, port } = workerData as WriterData
const writer = new Writer(
  file,
  (progress) => port.postMessage(progress),
  (notice) => port.postMessage({ notice } satisfies WriterEvent),
)

const rowsOf = ({ call }: WriterRequest): number => (call.method === 'append' ? call.args[0].priced.count : 1)

const takeMore = (): WriterRequest | 'close' | undefined =>
  receiveMessageOnPort(port)?.message as WriterRequest | 'close' | undefined

port.on('message', (first: WriterRequest | 'close') => {
  let next: WriterRequest | 'close' | undefined = first
  while (next !== undefined && next !== 'close') {
    const group = [next]
    let rows = rowsOf(next)
    next = undefined
    while (rows < ROWS_PER_TRANSACTION) {
      next = takeMore()
      if (next === undefined || next === 'close') break
      group.push(next)
      rows += rowsOf(next)
      next = undefined
    }
    port.postMessage(writer.write(group))
    writer.afterWriting()
    const { readsMaxMs } = writer
    if (readsMaxMs !== undefined) port.postMessage({ readsMaxMs } satisfies WriterEvent)
    next ??= takeMore()
  }
  if (next !== 'close') return
  writer.close()
  port.close()
})
port.postMessage({ opened: writer.opened, notices: writer.notices } satisfies WriterReady)
