/**
 * The thread that reads. A session is a connection with a transaction: all that is read in it is of one moment. Sessions
 * take turns call by call, so that a long answer holds nobody up.
 */
import type { DatabaseSync } from 'node:sqlite'
import { type MessagePort, workerData } from 'node:worker_threads'
import { Catalogue } from './catalogue.ts'
import { openReader, type SqliteFile } from './database.ts'
import { type Answer, toFailure } from './thread-messages.ts'
import { UsageReader } from './usage-reader.ts'

export type ReaderData = { readonly file: SqliteFile; readonly port: MessagePort }

export type ReaderRequest = {
  readonly id: number
  readonly call:
    | { readonly session: number; readonly method: ReadingMethod; readonly args: readonly unknown[] }
    | { readonly session: number; readonly method: 'end' }
    | { readonly method: LookingUpMethod; readonly args: readonly unknown[] }
}

export type ReadingMethod = 'page' | 'charges' | 'dayTotals' | 'rangeTotals' | 'version' | 'span'
export type LookingUpMethod = 'organization' | 'organizations' | 'findKey' | 'keys' | 'anyKey' | 'report' | 'isEmpty'

type Session = { readonly database: DatabaseSync; readonly usage: UsageReader }

const { file, port } = workerData as ReaderData
const database = openReader(file)
const catalogue = new Catalogue(database)
const sessions = new Map<number, Session>()
const idle: Session[] = []
const IDLE_MAX = 4

const begin = (id: number): Session => {
  let session = idle.pop()
  if (session === undefined) {
    const connection = openReader(file)
    session = { database: connection, usage: new UsageReader(connection) }
  }
  session.database.exec('BEGIN')
  sessions.set(id, session)
  return session
}

const end = (id: number): void => {
  const session = sessions.get(id)
  if (session === undefined) return
  sessions.delete(id)
  session.database.exec('COMMIT')
  if (idle.length < IDLE_MAX) idle.push(session)
  else session.database.close()
}

const perform = (call: ReaderRequest['call']): unknown => {
  if (!('session' in call)) {
    return (catalogue[call.method] as (...args: readonly unknown[]) => unknown).apply(catalogue, [...call.args])
  }
  if (call.method === 'end') return end(call.session)
  const { usage } = sessions.get(call.session) ?? begin(call.session)
  return (usage[call.method] as (...args: readonly unknown[]) => unknown).apply(usage, [...call.args])
}

const answerTo = ({ id, call }: ReaderRequest): Answer => {
  try {
    return { id, value: perform(call) }
  } catch (error) {
    return { id, failure: toFailure(error) }
  }
}

port.on('message', (request: ReaderRequest | 'close') => {
  if (request !== 'close') {
    port.postMessage([answerTo(request)])
    return
  }
  for (const id of [...sessions.keys()]) end(id)
  for (const session of idle) session.database.close()
  database.close()
  port.close()
})
port.postMessage([])
