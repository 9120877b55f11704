/** A reader who closes the connection before the answer is complete no longer wants it. */
import type { ServerResponse } from 'node:http'
import { ServiceError } from '#model/errors.ts'

export class ReaderLeft extends ServiceError {
  constructor() {
    super('reader_left', 'the connection was closed before the answer was complete')
  }
}

const SENT_WHOLE = 'the answer was sent whole'

/** Aborts as soon as the connection is closed, and also when the answer has been sent whole. */
export const signalOfLeaving = (response: ServerResponse): AbortSignal => {
  const leaving = new AbortController()
  if (response.closed) leaving.abort(new ReaderLeft())
  // An error is made with the stack of calls, which an answer that was sent whole need not wait for.
  else response.once('close', () => leaving.abort(response.writableFinished ? SENT_WHOLE : new ReaderLeft()))
  return leaving.signal
}
