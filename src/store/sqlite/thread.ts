/** A thread that answers calls, seen from the one that asks. */
import { MessageChannel, type MessagePort, receiveMessageOnPort, Worker } from 'node:worker_threads'
import { StoreError } from '#model/errors.ts'
import type { SqliteFile } from './database.ts'
import type { Answer } from './thread-messages.ts'

type Pending = { readonly resolve: (value: unknown) => void; readonly reject: (error: StoreError) => void }

export class Thread<Call> {
  readonly #port: MessagePort
  readonly #pending = new Map<number, Pending>()
  readonly #exited: Promise<void>
  #lastId = 0
  #failure: StoreError | undefined

  private constructor(worker: Worker, port: MessagePort) {
    this.#port = port
    port.on('message', this.#settleAll)
    this.#exited = new Promise((resolve) => {
      worker.on('error', (error: Error) => this.#fail(new StoreError(`the database thread failed: ${error.message}`)))
      worker.on('exit', () => {
        // The end of a thread can be heard of before its last answers are.
        for (let last = receiveMessageOnPort(port); last !== undefined; last = receiveMessageOnPort(port)) {
          this.#settleAll(last.message)
        }
        this.#fail(new StoreError('the store is closed'))
        resolve()
      })
    })
  }

  /** Resolves once the thread has opened the file; throws StoreError where it could not. */
  static async start<Call>(url: URL, file: SqliteFile): Promise<Thread<Call>> {
    const { port1, port2 } = new MessageChannel()
    const worker = new Worker(url, { workerData: { file, port: port2 }, transferList: [port2] })
    await new Promise<void>((resolve, reject) => {
      port1.once('message', () => resolve())
      worker.once('error', ({ message }: Error) => {
        reject(new StoreError(message.includes(file.path) ? message : `${file.path}: ${message}`))
      })
    })
    return new Thread(worker, port1)
  }

  call<T>(call: Call, transfer: ArrayBuffer[] = []): Promise<T> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure)
    const id = ++this.#lastId
    return new Promise<T>((resolve, reject) => {
      this.#pending.set(id, { resolve: resolve as (value: unknown) => void, reject })
      this.#port.postMessage({ id, call }, transfer)
    })
  }

  /** What was called before is answered first. */
  async close(): Promise<void> {
    if (this.#failure === undefined) this.#port.postMessage('close')
    await this.#exited
  }

  readonly #settleAll = (answers: readonly Answer[]): void => {
    for (const answer of answers) this.#settle(answer)
  }

  #settle({ id, value, failure }: Answer): void {
    const pending = this.#pending.get(id)
    this.#pending.delete(id)
    if (failure === undefined) pending?.resolve(value)
    else pending?.reject(new StoreError(failure.message))
  }

  #fail(error: StoreError): void {
    this.#failure ??= error
    for (const { reject } of this.#pending.values()) reject(this.#failure)
    this.#pending.clear()
  }
}
