/** The caller's side of a worker thread that answers calls. */
import { MessageChannel, type MessagePort, receiveMessageOnPort, Worker } from 'node:worker_threads'
import { type ServiceError, StoreError } from '#model/errors.ts'
import { type Reply, toError } from './thread-messages.ts'

type Pending = { readonly resolve: (value: unknown) => void; readonly reject: (error: ServiceError) => void }

/** The thread sends arrays of answers; any other message is an event. */
export class Thread<Call, Ready, Event = never> {
  /** The first message of the thread, sent once it has started. */
  readonly ready: Ready
  readonly #port: MessagePort
  readonly #pending = new Map<number, Pending>()
  readonly #exited: Promise<void>
  #lastId = 0
  #failure: StoreError | undefined

  private constructor(worker: Worker, port: MessagePort, ready: Ready, onEvent: (event: Event) => void) {
    this.#port = port
    this.ready = ready
    port.on('message', (message: readonly Reply[] | Event) => {
      if (isAnswers(message)) this.#settleAll(message)
      else onEvent(message)
    })
    this.#exited = new Promise((resolve) => {
      worker.on('error', (error: Error) => this.#fail(new StoreError(`the database thread failed: ${error.message}`)))
      worker.on('exit', () => {
        // The exit event can arrive before the thread's last answers.
        for (let last = receiveMessageOnPort(port); last !== undefined; last = receiveMessageOnPort(port)) {
          if (isAnswers(last.message)) this.#settleAll(last.message)
        }
        this.#fail(new StoreError('the database is closed'))
        resolve()
      })
    })
  }

  /** Resolves once the thread has opened the file. Throws StoreError if it cannot. */
  static async start<Call, Ready, Event = never>(
    url: URL,
    { path, ...data }: { readonly path: string } & object,
    onEvent: (event: Event) => void = () => {},
    /** Is told in a sentence what the thread does before it has started, if that takes long. */
    onStarting: (progress: string) => void = () => {},
  ): Promise<Thread<Call, Ready, Event>> {
    const { port1, port2 } = new MessageChannel()
    const worker = new Worker(url, { workerData: { file: { path, ...data }, port: port2 }, transferList: [port2] })
    const ready = await new Promise<Ready>((resolve, reject) => {
      const listen = (message: Ready | string): void => {
        if (typeof message === 'string') onStarting(message)
        else {
          port1.off('message', listen)
          resolve(message)
        }
      }
      port1.on('message', listen)
      worker.once('error', ({ message }: Error) => {
        reject(new StoreError(message.includes(path) ? message : `${path}: ${message}`))
      })
    })
    return new Thread(worker, port1, ready, onEvent)
  }

  call<T>(call: Call, transfer: ArrayBuffer[] = []): Promise<T> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure)
    const id = ++this.#lastId
    return new Promise<T>((resolve, reject) => {
      this.#pending.set(id, { resolve: resolve as (value: unknown) => void, reject })
      this.#port.postMessage({ id, call }, transfer)
    })
  }

  /** Resolves once all earlier calls are answered and the thread has ended. */
  async close(): Promise<void> {
    if (this.#failure === undefined) this.#port.postMessage('close')
    await this.#exited
  }

  readonly #settleAll = (answers: readonly Reply[]): void => {
    for (const answer of answers) this.#settle(answer)
  }

  #settle({ id, value, failure }: Reply): void {
    const pending = this.#pending.get(id)
    this.#pending.delete(id)
    if (failure === undefined) pending?.resolve(value)
    else pending?.reject(toError(failure))
  }

  #fail(error: StoreError): void {
    this.#failure ??= error
    for (const { reject } of this.#pending.values()) reject(this.#failure)
    this.#pending.clear()
  }
}

const isAnswers = (message: unknown): message is readonly Reply[] => Array.isArray(message)
