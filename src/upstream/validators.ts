/** What makes a call conditional on a change (RFC 9110, 13). */
import type { Validators } from '#metering/ports.ts'
import type { ResponseHeaders } from './http-client.ts'

/**
 * A modification date counts in whole seconds: what changes twice within one keeps its date. So it is used only where the
 * answer was made more than a second after it (RFC 9110, 8.8.2.2).
 */
export const validatorsOf = ({
  etag,
  date,
  'last-modified': lastModified,
}: ResponseHeaders): Validators | undefined => {
  const isSettled = Date.parse(String(date)) - Date.parse(String(lastModified)) > 1000
  // Other values could not be sent back as they came.
  const isAscii = typeof lastModified === 'string' && /^[\x20-\x7e]+$/.test(lastModified)
  const found = {
    ...(typeof etag === 'string' && /^(W\/)?"[\x21\x23-\x7e]*"$/.test(etag) ? { etag } : {}),
    ...(isAscii && isSettled ? { lastModified } : {}),
  }
  return Object.keys(found).length === 0 ? undefined : found
}

/** Both are sent where both are known; a server that understands If-None-Match ignores the other. */
export const conditionsOf = (validators: Validators | undefined): Readonly<Record<string, string>> => ({
  ...(validators?.etag === undefined ? {} : { 'if-none-match': validators.etag }),
  ...(validators?.lastModified === undefined ? {} : { 'if-modified-since': validators.lastModified }),
})
