/**
 * The thread that writes. What is waiting when it is free is written in one transaction and synced once: under load many
 * requests share a commit, and each is answered only after it.
 */
import type { DatabaseSync } from 'node:sqlite'
import { type MessagePort, receiveMessageOnPort, workerData } from 'node:worker_threads'
import { Catalogue } from './catalogue.ts'
import { openWriter, type SqliteFile } from './database.ts'
import type { RecordColumns } from './record-columns.ts'
import { RecordWriter } from './record-writer.ts'
import { type Answer, toFailure } from './thread-messages.ts'

export type WriterData = { readonly file: SqliteFile; readonly port: MessagePort }

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
  | 'check'

const ROWS_PER_TRANSACTION = 20_000
const IO_ERROR = 10

class Writer {
  readonly #file: SqliteFile
  #database: DatabaseSync
  #records: RecordWriter
  #catalogue: Catalogue

  constructor(file: SqliteFile) {
    this.#file = file
    this.#database = openWriter(file)
    this.#records = new RecordWriter(this.#database)
    this.#catalogue = new Catalogue(this.#database)
  }

  /** One transaction. Each request within it succeeds or fails by itself; if the commit fails, all do. */
  write(requests: readonly WriterRequest[]): readonly Answer[] {
    try {
      this.#database.exec('BEGIN IMMEDIATE')
      const answers = requests.map((request) => this.#answerTo(request))
      this.#database.exec('COMMIT')
      return answers
    } catch (error) {
      this.#rollBack(error)
      const failure = toFailure(error)
      return requests.map(({ id }) => ({ id, failure }))
    }
  }

  #answerTo(request: WriterRequest): Answer {
    this.#database.exec('SAVEPOINT request')
    try {
      const value = this.#perform(request.call)
      this.#database.exec('RELEASE request')
      return { id: request.id, value }
    } catch (error) {
      // Some failures, such as a full disk, end the whole transaction: nothing of it may be answered then.
      if (!this.#database.isTransaction) throw error
      this.#database.exec('ROLLBACK TO request; RELEASE request')
      this.#records.rolledBack()
      return { id: request.id, failure: toFailure(error) }
    }
  }

  #perform({ method, args }: WriterRequest['call']): unknown {
    if (method === 'append') return this.#records.append(args[0] as RecordColumns)
    if (method === 'check') return this.#database.exec('PRAGMA schema_version')
    return (this.#catalogue[method] as (...args: readonly unknown[]) => unknown).apply(this.#catalogue, [...args])
  }

  #rollBack(error: unknown): void {
    this.#records.rolledBack()
    if (this.#database.isTransaction) this.#database.exec('ROLLBACK')
    // After a sync that failed nobody knows what the file system remembers: begin anew from what is on the disk.
    if (((error as { errcode?: number }).errcode ?? 0) % 256 === IO_ERROR) this.#reopen()
  }

  #reopen(): void {
    this.#database.close()
    this.#database = openWriter(this.#file)
    this.#records = new RecordWriter(this.#database)
    this.#catalogue = new Catalogue(this.#database)
  }

  close(): void {
    this.#database.close()
  }
}

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
    next ??= takeMore()
  }
  if (next !== 'close') return
  writer.close()
  port.close()
})
port.postMessage([])
