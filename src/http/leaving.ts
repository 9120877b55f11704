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
