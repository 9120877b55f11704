/** Detects clients that close the connection before the response is complete, so that work for them can stop. */
import type { ServerResponse } from 'node:http'
import { ServiceError } from '#model/errors.ts'

export class ReaderLeft extends ServiceError {
  constructor() {
    super('reader-left', 'the client closed the connection before the response was complete')
  }
}

const COMPLETE = 'the response is complete'

/** Aborts when the connection closes, and also when the response is complete. */
export const signalOfLeaving = (response: ServerResponse): AbortSignal => {
  const leaving = new AbortController()
  if (response.closed) leaving.abort(new ReaderLeft())
  // A complete response gets a string as reason, because creating an error would capture a stack trace each time.
  else response.once('close', () => leaving.abort(response.writableFinished ? COMPLETE : new ReaderLeft()))
  return leaving.signal
}

/**
 * For work that may take minutes before there is anything to send: a client that waits for it in silence has not left. Aborts as
 * well when the service shuts down, which `shutdown` tells.
 */
export const signalOfLongWork = (response: ServerResponse, shutdown: AbortSignal): AbortSignal => {
  // Node.js sets the timeout of the server again for the next request.
  response.socket?.setTimeout(0)
  return AbortSignal.any([shutdown, signalOfLeaving(response)])
}
