/** When a body that is being streamed is read no further, though its sender is there and its answer goes on. */
import type { IncomingMessage } from 'node:http'
import { InvalidRequest, ServiceError } from '#model/errors.ts'

export class ShuttingDown extends ServiceError {
  constructor() {
    super(
      'shutting_down',
      'The service is shutting down. Everything counted here is committed; send everything else again.',
    )
  }
}

/** A part of a line has come, and nothing more of it. */
export class LineTimedOut extends ServiceError {
  constructor() {
    super(
      'line_timed_out',
      'The rest of a line did not arrive within 30 seconds. Everything counted here is committed; send everything else again.',
    )
  }
}

const UNREADABLE = Symbol('unreadable')

/** Tells whoever reads the body that nothing more of it can be made out. */
export const tellUnreadable = (request: IncomingMessage): boolean => request.emit(UNREADABLE)

/** Aborted with the error that says why. */
export const stopOf = (request: IncomingMessage, leaving: AbortSignal): AbortSignal => {
  const unreadable = new AbortController()
  request.once(UNREADABLE, () => unreadable.abort(new InvalidRequest('body', 'sent in valid HTTP chunks')))
  return AbortSignal.any([leaving, unreadable.signal])
}

/** The chunks of a body until it ends, or until `stop`, whose reason is thrown. The body is then left as it is. */
export async function* chunksUntil(body: AsyncIterable<Uint8Array>, stop: AbortSignal): AsyncGenerator<Uint8Array> {
  const chunks = body[Symbol.asyncIterator]()
  let giveUp = (_: unknown): void => {}
  const stopNow = (): void => giveUp(stop.reason)
  stop.addEventListener('abort', stopNow)
  try {
    for (;;) {
      stop.throwIfAborted()
      const next = await new Promise<IteratorResult<Uint8Array>>((resolve, reject) => {
        giveUp = reject
        chunks.next().then(resolve, reject)
      })
      if (next.done === true) return
      yield next.value
    }
  } finally {
    stop.removeEventListener('abort', stopNow)
  }
}
