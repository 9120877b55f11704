/**
 * The thread that writes. What is waiting when it is free is written in one transaction and synced once: under load many
 * requests share a commit, and each is answered only after it.
 */
import type { DatabaseSync } from 'node:sqlite'
import { type MessagePort, receiveMessageOnPort, workerData } from 'node:worker_threads'
import type { StoreNotice } from '#metering/ports.ts'
import { Catalogue } from './catalogue.ts'
import { type OpenedWriter, openWriter, type SqliteFile } from './database.ts'
import { advanceMark, type DatabaseMark, writeMarker, writeMarkerMeanwhile } from './database-mark.ts'
import type { FileGuard, OpenedFile } from './file-guard.ts'
import type { RecordColumns } from './record-columns.ts'
import { RecordWriter } from './record-writer.ts'
import { type Reply, toFailure } from './thread-messages.ts'
import { WalLimit } from './wal-limit.ts'

export type WriterData = { readonly file: SqliteFile; readonly port: MessagePort }

export type WriterReady = { readonly opened: OpenedFile; readonly notices: readonly StoreNotice[] }

/** Sent between the answers. */
export type WriterEvent = { readonly readingsMaxMs: number }

export type WriterRequest = {
  readonly id: number
  readonly call:
    | { readonly method: 'append'; readonly args: readonly [RecordColumns] }
    | { readonly method: WritingMethod; readonly args: readonly unknown[] }
}

type WritingMethod =
  | 'createOrganization'
  | 'replaceOrganization'
  | 'createKey'
  | 'revokeKey'
  | 'putReport'
  | 'removeReport'
  | 'contentKey'
  | 'latestInstant'
  | 'check'

const ROWS_PER_TRANSACTION = 20_000
const IO_ERROR = 10

/** What is open: all of it is made anew after a failure of the disk. */
type Open = {
  readonly database: DatabaseSync
  readonly guard: FileGuard
  readonly walLimit: WalLimit
  readonly records: RecordWriter
  readonly catalogue: Catalogue
}

class Writer {
  readonly #file: SqliteFile
  readonly opened: OpenedFile
  readonly notices: readonly StoreNotice[]
  #open: Open | undefined
  #markedAt = Number.NEGATIVE_INFINITY
  #markedGeneration: number | undefined
  /** Whether the marker was written since the start: the first time it is waited for. */
  #hasMarker = false

  constructor(file: SqliteFile) {
    this.#file = file
    const writer = openWriter(file)
    this.opened = writer.opened
    this.notices = writer.notices
    this.#open = this.#begin(writer)
  }

  #begin({ database, guard }: OpenedWriter): Open {
    return {
      database,
      guard,
      walLimit: new WalLimit(database, guard, this.#file.walBytesMax),
      records: new RecordWriter(database),
      catalogue: new Catalogue(database),
    }
  }

  /** One transaction. Each request within it succeeds or fails by itself; if the commit fails, all do. */
  write(requests: readonly WriterRequest[]): readonly Reply[] {
    try {
      this.#open ??= this.#begin(openWriter(this.#file, this.opened))
      const { database, guard, walLimit } = this.#open
      guard.checkAgain()
      walLimit.beforeWriting()
      database.exec('BEGIN IMMEDIATE')
      const answers = requests.map((request) => this.#answerTo(request, this.#open as Open))
      const mark = this.#advanceMarkNowAndThen(this.#open)
      database.exec('COMMIT')
      // Before anything is acknowledged: what was written to a file that has lost its name is not kept.
      guard.check()
      if (mark !== undefined) this.#writeMarker(mark)
      return answers
    } catch (error) {
      this.#rollBack(error)
      const failure = toFailure(error)
      return requests.map(({ id }) => ({ id, failure }))
    }
  }

  /** Once all is answered. */
  afterWriting(): void {
    this.#open?.walLimit.afterWriting()
  }

  #writeMarker(mark: DatabaseMark): void {
    // What was written is committed and must be acknowledged. A marker that is a little old still fits: it is tried again.
    const failed = (): void => {
      this.#hasMarker = false
    }
    if (this.#hasMarker) {
      writeMarkerMeanwhile(this.#file.path, mark).catch(failed)
      return
    }
    try {
      writeMarker(this.#file.path, mark)
      this.#hasMarker = true
    } catch {
      failed()
    }
  }

  /** Whether readings that have lasted so long should end, as they keep the write-ahead log from starting over. */
  get readingsMaxMs(): number | undefined {
    return this.#open?.walLimit.readingsMaxMs
  }

  /**
   * With the first write after a checkpoint. So a copy of the file from before it can be told from the file, and a file
   * without its write-ahead log from one with it.
   */
  #advanceMarkNowAndThen({ database, guard }: Open): DatabaseMark | undefined {
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
      const value = this.#perform(request.call, open)
      database.exec('RELEASE request')
      return { id: request.id, value }
    } catch (error) {
      // Some failures, such as a full disk, end the whole transaction: nothing of it may be answered then.
      if (!database.isTransaction) throw error
      database.exec('ROLLBACK TO request; RELEASE request')
      open.records.rolledBack()
      return { id: request.id, failure: toFailure(error) }
    }
  }

  #perform({ method, args }: WriterRequest['call'], { database, records, catalogue }: Open): unknown {
    if (method === 'append') return records.append(args[0] as RecordColumns)
    // Rolled back it would not reach the disk, and a disk that is full would not be noticed.
    if (method === 'check') return database.prepare(HEARTBEAT).run(String(args[0])).changes
    return (catalogue[method] as (...args: readonly unknown[]) => unknown).apply(catalogue, [...args])
  }

  #rollBack(error: unknown): void {
    if (this.#open === undefined) return
    const { database, records } = this.#open
    records.rolledBack()
    if (database.isTransaction) database.exec('ROLLBACK')
    // After a sync that failed nobody knows what the file system remembers: begin anew from what is on the disk.
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
      // Everything that counts is committed. The mark of the end only makes an older copy easier to tell.
    } finally {
      database.close()
    }
  }
}

const MARK_EVERY_MS = 10_000

const HEARTBEAT = `
  INSERT INTO installation (name, value) VALUES ('checked_at', ?) ON CONFLICT DO UPDATE SET value = excluded.value`

const { file, port } = workerData as WriterData
const writer = new Writer(file)

const rowsOf = ({ call }: WriterRequest): number =>
  call.method === 'append' ? (call.args[0] as RecordColumns).count : 1

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
    const { readingsMaxMs } = writer
    if (readingsMaxMs !== undefined) port.postMessage({ readingsMaxMs } satisfies WriterEvent)
    next ??= takeMore()
  }
  if (next !== 'close') return
  writer.close()
  port.close()
})
port.postMessage({ opened: writer.opened, notices: writer.notices } satisfies WriterReady)
