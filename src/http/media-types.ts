/** Media types and content codings of request bodies. */
import type { IncomingHttpHeaders } from 'node:http'

export const JSON_TYPE = 'application/json'
export const CSV_TYPE = 'text/csv'
export const PROTOBUF = 'application/x-protobuf'
/** The media type of NDJSON responses. The others are accepted as synonyms. */
export const NDJSON = 'application/x-ndjson'
export const NDJSON_TYPES: readonly string[] = [NDJSON, 'application/ndjson', 'application/jsonl']

/** The media type in lowercase, without parameters; empty if there is none. */
export const mediaTypeOf = ({ 'content-type': type = '' }: IncomingHttpHeaders): string =>
  type.split(';', 1)[0]?.trim().toLowerCase() ?? ''

export const isNdjson = (headers: IncomingHttpHeaders): boolean => NDJSON_TYPES.includes(mediaTypeOf(headers))

export const hasBody = (headers: IncomingHttpHeaders): boolean =>
  headers['transfer-encoding'] !== undefined || (headers['content-length'] ?? '0') !== '0'

export const isGzip = ({ 'content-encoding': coding = '' }: IncomingHttpHeaders): boolean =>
  /^(x-)?gzip$/i.test(coding.trim())
