/** What a body may be: its media types and its coding. */
import type { IncomingHttpHeaders } from 'node:http'

export const JSON_TYPE = 'application/json'
/** The name under which it is answered; the others are names of the same. */
export const NDJSON = 'application/x-ndjson'
export const NDJSON_TYPES: readonly string[] = [NDJSON, 'application/ndjson', 'application/jsonl']

/** Without parameters, in lower case; empty where there is none. */
export const mediaTypeOf = ({ 'content-type': type = '' }: IncomingHttpHeaders): string =>
  type.split(';', 1)[0]?.trim().toLowerCase() ?? ''

export const isNdjson = (headers: IncomingHttpHeaders): boolean => NDJSON_TYPES.includes(mediaTypeOf(headers))

export const hasBody = (headers: IncomingHttpHeaders): boolean =>
  headers['transfer-encoding'] !== undefined || (headers['content-length'] ?? '0') !== '0'

export const isGzip = ({ 'content-encoding': coding = '' }: IncomingHttpHeaders): boolean =>
  /^(x-)?gzip$/i.test(coding.trim())
