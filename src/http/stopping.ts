/** Reasons to stop reading a streamed body while its client is still connected and its response continues. */
import type { IncomingMessage } from 'node:http'
import { InvalidRequest, ServiceError } from '#model/errors.ts'

export class ShuttingDown extends ServiceError {
  constructor() {
    super(
      'shutting-down',
      'The service is shutting down. Everything counted here is committed; send everything else again.',
    )
  }
}

/** Part of a line arrived, and then nothing more. */
export class LineTimedOut extends ServiceError {
  constructor() {
    super(
      'request-timed-out',
      'The rest of a line did not arrive within 30 seconds. Everything counted here is committed; send everything else again.',
    )
  }
}

const UNREADABLE = Symbol('unreadable')

/** Notifies the reader of the body that the rest of it is not valid HTTP. False if nobody listens. */
export const tellUnreadable = (request: IncomingMessage): boolean => request.emit(UNREADABLE)

/** Aborts with the error that explains why the body is read no further. */
export const stopOf = (request: IncomingMessage, leaving: AbortSignal): AbortSignal => {
  const unreadable = new AbortController()
  request.once(UNREADABLE, () => unreadable.abort(new InvalidRequest('body', 'sent in valid HTTP chunks')))
  return AbortSignal.any([leaving, unreadable.signal])
}

/** Yields the chunks of a body until it ends. When `stop` aborts, throws its reason and leaves the rest of the body unread. */
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
