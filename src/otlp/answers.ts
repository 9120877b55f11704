/** What a sender gets back, in the encoding of its request. */
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire'

export type Encoding = 'json' | 'protobuf'

/** Of an export. Present only if something was rejected: senders warn about it. */
export type PartialSuccess = { readonly rejected: number; readonly message: string }

const PARTIAL_SUCCESS = { field: 1, rejected: 1, message: 2 }
const STATUS = { code: 1, message: 2 }

/** `rejectedName` is `rejectedSpans` or `rejectedLogRecords`; the numbers of the fields are the same. */
export const exportAnswer = (
  encoding: Encoding,
  rejectedName: 'rejectedSpans' | 'rejectedLogRecords',
  partial: PartialSuccess | undefined,
): string | Buffer => {
  if (encoding === 'json') {
    if (partial === undefined) return '{}'
    const { rejected, message: errorMessage } = partial
    return JSON.stringify({ partialSuccess: { [rejectedName]: String(rejected), errorMessage } })
  }
  const writer = new BinaryWriter()
  if (partial !== undefined) {
    writer.tag(PARTIAL_SUCCESS.field, WireType.LengthDelimited).fork()
    writer.tag(PARTIAL_SUCCESS.rejected, WireType.Varint).int64(partial.rejected)
    writer.tag(PARTIAL_SUCCESS.message, WireType.LengthDelimited).string(partial.message)
    writer.join()
  }
  return Buffer.from(writer.finish())
}

/** `google.rpc.Status`. */
export const statusAnswer = (encoding: Encoding, httpStatus: number, message: string): string | Buffer => {
  const code = CODES[httpStatus] ?? (httpStatus < 500 ? CODE.invalidArgument : CODE.internal)
  if (encoding === 'json') return JSON.stringify({ code, message })
  const writer = new BinaryWriter()
  writer.tag(STATUS.code, WireType.Varint).int32(code)
  writer.tag(STATUS.message, WireType.LengthDelimited).string(message)
  return Buffer.from(writer.finish())
}

/** Of gRPC. */
const CODE = {
  invalidArgument: 3,
  deadlineExceeded: 4,
  notFound: 5,
  permissionDenied: 7,
  resourceExhausted: 8,
  internal: 13,
  unavailable: 14,
  unauthenticated: 16,
}

const CODES: Readonly<Record<number, number>> = {
  401: CODE.unauthenticated,
  403: CODE.permissionDenied,
  404: CODE.notFound,
  408: CODE.deadlineExceeded,
  413: CODE.resourceExhausted,
  429: CODE.resourceExhausted,
  502: CODE.unavailable,
  503: CODE.unavailable,
  504: CODE.deadlineExceeded,
}
