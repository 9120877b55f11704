/**
 * The thread that reads. A session is a connection with a transaction, so everything read in it is from one moment. Sessions
 * take turns after each call, and every call is short, so a long read does not hold up the others.
 */
import type { DatabaseSync } from 'node:sqlite'
import { type MessagePort, workerData } from 'node:worker_threads'
import { StoreBusy } from '#model/errors.ts'
import { openReader } from './database.ts'
import { FileGuard, type OpenedFile } from './file-guard.ts'
import { createLookUps, createRun, type LookUps } from './lookups.ts'
import { type Reply, toFailure } from './thread-messages.ts'
import { UsageReader } from './usage-reader.ts'

/** `opened` is the file that the writer has opened. No other file may be read. */
export type ReaderFile = { readonly path: string; readonly opened: OpenedFile }
export type ReaderData = { readonly file: ReaderFile; readonly port: MessagePort }

export type ReaderRequest = {
  readonly id: number
  readonly call:
    | { readonly session: number; readonly method: ReadMethod; readonly args: readonly unknown[] }
    | { readonly session: number; readonly method: 'end' }
    | { readonly method: 'endLongReads'; readonly maxMs: number }
    | { readonly method: LookUpMethod; readonly args: readonly unknown[] }
}

export type ReadMethod = keyof UsageReader
export type LookUpMethod = keyof LookUps

type Connection = { readonly database: DatabaseSync; readonly usage: UsageReader }
type Session = Connection & { readonly begunAt: number; servedMs: number }

const { file, port } = workerData as ReaderData
const database = openReader(file)
const guard = new FileGuard(file.path, database, file.opened)
const lookUps = createLookUps(createRun(database))
/** A session that was ended early stays here as `ended` until its caller has been told. */
const sessions = new Map<number, Session | 'ended'>()
const idle: Connection[] = []
/** As many as usually read at once: opening a connection and preparing its statements takes longer than most reads. */
const IDLE_MAX = 16

const begin = (id: number): Session => {
  guard.check()
  let connection = idle.pop()
  if (connection === undefined) {
    const opened = openReader(file)
    connection = { database: opened, usage: new UsageReader(opened) }
    // Check again: the file could have been replaced just before it was opened.
    guard.check()
  }
  connection.database.exec('BEGIN')
  const session = { ...connection, begunAt: performance.now(), servedMs: 0 }
  sessions.set(id, session)
  return session
}

const release = ({ database, usage }: Session): void => {
  database.exec('COMMIT')
  usage.forget()
  if (idle.length < IDLE_MAX) idle.push({ database, usage })
  else database.close()
}

const end = (id: number): void => {
  const session = sessions.get(id)
  sessions.delete(id)
  if (session !== undefined && session !== 'ended') release(session)
}

/** Ends long reads, because they keep the write-ahead log from being reset. */
const endLongReads = (maxMs: number): void => {
  for (const [id, session] of sessions) {
    if (session === 'ended' || performance.now() - session.begunAt < maxMs) continue
    sessions.set(id, 'ended')
    release(session)
  }
}

const perform = (call: ReaderRequest['call']): unknown => {
  if (call.method === 'endLongReads') return endLongReads(call.maxMs)
  if (!('session' in call)) {
    guard.checkAgain()
    return (lookUps[call.method] as (...args: readonly unknown[]) => unknown)(...call.args)
  }
  if (call.method === 'end') return end(call.session)
  const session = sessions.get(call.session) ?? begin(call.session)
  if (session === 'ended') {
    throw new StoreBusy('The read took too long while many writes were waiting. Try again, or request a shorter range.')
  }
  return (session.usage[call.method] as (...args: readonly unknown[]) => unknown).apply(session.usage, [...call.args])
}

const answerTo = ({ id, call }: ReaderRequest): Reply => {
  try {
    return { id, value: perform(call) }
  } catch (error) {
    return { id, failure: toFailure(error) }
  }
}

/** The session that has been served the least comes first, so a short read waits for at most one piece of a long one. */
const waiting: ReaderRequest[] = []
let isServing = false

const servedMsOf = ({ call }: ReaderRequest): number => {
  const session = 'session' in call && call.method !== 'end' ? sessions.get(call.session) : undefined
  return session === undefined || session === 'ended' ? 0 : session.servedMs
}

const takeNext = (): ReaderRequest | undefined => {
  let first = 0
  for (const [index, request] of waiting.entries()) {
    if (servedMsOf(request) < servedMsOf(waiting[first] as ReaderRequest)) first = index
  }
  return waiting.splice(first, 1)[0]
}

const serve = (): void => {
  const request = takeNext()
  isServing = request !== undefined
  if (request === undefined) return
  const startedAt = performance.now()
  port.postMessage([answerTo(request)])
  const session = 'session' in request.call ? sessions.get(request.call.session) : undefined
  if (session !== undefined && session !== 'ended') session.servedMs += performance.now() - startedAt
  setImmediate(serve)
}

const close = (): void => {
  for (const id of [...sessions.keys()]) end(id)
  for (const session of idle) session.database.close()
  database.close()
  port.close()
}

port.on('message', (request: ReaderRequest | 'close') => {
  if (request === 'close') {
    while (waiting.length > 0) port.postMessage([answerTo(waiting.shift() as ReaderRequest)])
    close()
    return
  }
  waiting.push(request)
  if (!isServing) serve()
})
port.postMessage([])
