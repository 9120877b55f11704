/** A reader who closes the connection before the answer is complete no longer wants it. */
import type { ServerResponse } from 'node:http'
import { ServiceError } from '#model/errors.ts'

export class ReaderLeft extends ServiceError {
  constructor() {
    super('reader_left', 'the connection was closed before the answer was complete')
  }
}

/** Aborts as soon as the connection is closed, and also when the answer has been sent whole. */
export const signalOfLeaving = (response: ServerResponse): AbortSignal => {
  const leaving = new AbortController()
  if (response.closed) leaving.abort(new ReaderLeft())
  else response.once('close', () => leaving.abort(new ReaderLeft()))
  return leaving.signal
}
