/** Validators for conditional requests (RFC 9110, 13). */
import type { Validators } from '#current-period/copilot-service.ts'
import type { ResponseHeaders } from './http-client.ts'

/**
 * `Last-Modified` has a resolution of one second, so a listing that changes twice within a second keeps its date. It is used
 * only if the response is dated more than a second later (RFC 9110, 8.8.2.2).
 */
export const validatorsOf = ({
  etag,
  date,
  'last-modified': lastModified,
}: ResponseHeaders): Validators | undefined => {
  const isSettled = Date.parse(String(date)) - Date.parse(String(lastModified)) > 1000
  // Other values could not be sent back unchanged in a header.
  const isAscii = typeof lastModified === 'string' && /^[\x20-\x7e]+$/.test(lastModified)
  const found = {
    ...(typeof etag === 'string' && /^(W\/)?"[\x21\x23-\x7e]*"$/.test(etag) ? { etag } : {}),
    ...(isAscii && isSettled ? { lastModified } : {}),
  }
  return Object.keys(found).length === 0 ? undefined : found
}

/** Sends both if both are known: a server that understands If-None-Match ignores the other. */
export const conditionsOf = (validators: Validators | undefined): Readonly<Record<string, string>> => ({
  ...(validators?.etag === undefined ? {} : { 'if-none-match': validators.etag }),
  ...(validators?.lastModified === undefined ? {} : { 'if-modified-since': validators.lastModified }),
})
