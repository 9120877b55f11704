/** What makes a call conditional on a change (RFC 9110, 13). */
import type { Validators } from '#metering/ports.ts'
import type { AnswerHeaders } from './http-client.ts'

export const validatorsOf = ({ etag, 'last-modified': lastModified }: AnswerHeaders): Validators | undefined => {
  const found = {
    ...(typeof etag === 'string' ? { etag } : {}),
    ...(typeof lastModified === 'string' ? { lastModified } : {}),
  }
  return Object.keys(found).length === 0 ? undefined : found
}

/** Both are sent where both are known; a server that understands If-None-Match ignores the other. */
export const conditionsOf = (validators: Validators | undefined): Readonly<Record<string, string>> => ({
  ...(validators?.etag === undefined ? {} : { 'if-none-match': validators.etag }),
  ...(validators?.lastModified === undefined ? {} : { 'if-modified-since': validators.lastModified }),
})
