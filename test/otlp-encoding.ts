/** Writes OTLP requests in protobuf, from the same objects that are sent as JSON. */
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire'

export type OtlpValue =
  | { readonly stringValue: string }
  | { readonly boolValue: boolean }
  | { readonly intValue: string | number }
  | { readonly doubleValue: number }
  | { readonly bytesValue: string }
  | { readonly arrayValue: { readonly values: readonly OtlpValue[] } }
  | { readonly kvlistValue: { readonly values: readonly KeyValue[] } }
export type KeyValue = { readonly key: string; readonly value: OtlpValue }

export type OtlpSpan = {
  readonly traceId: string
  readonly spanId: string
  readonly parentSpanId?: string
  readonly name?: string
  readonly kind?: number
  readonly startTimeUnixNano?: string | number
  readonly endTimeUnixNano?: string | number
  readonly attributes?: readonly KeyValue[]
  readonly events?: readonly { readonly name: string; readonly attributes?: readonly KeyValue[] }[]
  readonly status?: { readonly code?: number; readonly message?: string }
}

export type OtlpLog = {
  readonly timeUnixNano?: string | number
  readonly observedTimeUnixNano?: string | number
  readonly body?: OtlpValue
  readonly eventName?: string
  readonly traceId?: string
  readonly spanId?: string
  readonly attributes?: readonly KeyValue[]
}

type Group<T> = {
  readonly resource?: { readonly attributes?: readonly KeyValue[] }
  readonly scopes: readonly { readonly scope?: { readonly name?: string }; readonly records: readonly T[] }[]
}
export type TraceRequest = readonly Group<OtlpSpan>[]
export type LogRequest = readonly Group<OtlpLog>[]

type Plain = string | number | boolean

/** Attributes of plain values; whole numbers are sent as int64 in a string, as the protocol has them. */
export const attributes = (values: Readonly<Record<string, Plain | undefined>>): readonly KeyValue[] =>
  Object.entries(values).flatMap(([key, value]) => (value === undefined ? [] : [{ key, value: toValue(value) }]))

const toValue = (value: Plain): OtlpValue => {
  if (typeof value === 'string') return { stringValue: value }
  if (typeof value === 'boolean') return { boolValue: value }
  return Number.isInteger(value) ? { intValue: String(value) } : { doubleValue: value }
}

export const tracesAsJson = (request: TraceRequest) => ({
  resourceSpans: request.map(({ resource, scopes }) => ({
    ...(resource && { resource }),
    scopeSpans: scopes.map(({ scope, records }) => ({ ...(scope && { scope }), spans: records })),
  })),
})

export const logsAsJson = (request: LogRequest) => ({
  resourceLogs: request.map(({ resource, scopes }) => ({
    ...(resource && { resource }),
    scopeLogs: scopes.map(({ scope, records }) => ({ ...(scope && { scope }), logRecords: records })),
  })),
})

export const tracesAsProtobuf = (request: TraceRequest): Uint8Array => asProtobuf(request, writeSpan)
export const logsAsProtobuf = (request: LogRequest): Uint8Array => asProtobuf(request, writeLog)

type Write = (writer: BinaryWriter) => void

const message = (writer: BinaryWriter, field: number, write: Write): void => {
  writer.tag(field, WireType.LengthDelimited).fork()
  write(writer)
  writer.join()
}

const text = (writer: BinaryWriter, field: number, value: string | undefined): void => {
  if (value !== undefined) writer.tag(field, WireType.LengthDelimited).string(value)
}

const hex = (writer: BinaryWriter, field: number, value: string | undefined): void => {
  if (value !== undefined) writer.tag(field, WireType.LengthDelimited).bytes(Buffer.from(value, 'hex'))
}

const fixed = (writer: BinaryWriter, field: number, value: string | number | undefined): void => {
  if (value !== undefined) writer.tag(field, WireType.Bit64).fixed64(BigInt(value))
}

const asProtobuf = <T>(request: readonly Group<T>[], writeRecord: (writer: BinaryWriter, record: T) => void) => {
  const writer = new BinaryWriter()
  for (const { resource, scopes } of request) {
    message(writer, 1, () => {
      // Scopes before the resource: fields may come in any order.
      for (const { scope, records } of scopes) {
        message(writer, 2, () => {
          for (const record of records) message(writer, 2, () => writeRecord(writer, record))
          if (scope !== undefined) message(writer, 1, () => text(writer, 1, scope.name))
        })
      }
      if (resource !== undefined) message(writer, 1, () => writeAttributes(writer, 1, resource.attributes))
    })
  }
  return writer.finish()
}

const writeAttributes = (writer: BinaryWriter, field: number, list: readonly KeyValue[] = []): void => {
  for (const each of list) message(writer, field, () => writeKeyValue(writer, each))
}

const writeKeyValue = (writer: BinaryWriter, { key, value }: KeyValue): void => {
  text(writer, 1, key)
  message(writer, 2, () => writeValue(writer, value))
}

const writeValue = (writer: BinaryWriter, value: OtlpValue): void => {
  if ('stringValue' in value) text(writer, 1, value.stringValue)
  else if ('boolValue' in value) writer.tag(2, WireType.Varint).bool(value.boolValue)
  else if ('intValue' in value) writer.tag(3, WireType.Varint).int64(BigInt(value.intValue))
  else if ('doubleValue' in value) writer.tag(4, WireType.Bit64).double(value.doubleValue)
  else if ('bytesValue' in value) writer.tag(7, WireType.LengthDelimited).bytes(Buffer.from(value.bytesValue, 'base64'))
  else if ('arrayValue' in value) {
    message(writer, 5, () => {
      for (const each of value.arrayValue.values) message(writer, 1, () => writeValue(writer, each))
    })
  } else {
    message(writer, 6, () => {
      for (const each of value.kvlistValue.values) message(writer, 1, () => writeKeyValue(writer, each))
    })
  }
}

const writeSpan = (writer: BinaryWriter, span: OtlpSpan): void => {
  hex(writer, 1, span.traceId)
  hex(writer, 2, span.spanId)
  hex(writer, 4, span.parentSpanId)
  text(writer, 5, span.name)
  if (span.kind !== undefined) writer.tag(6, WireType.Varint).int32(span.kind)
  fixed(writer, 7, span.startTimeUnixNano)
  fixed(writer, 8, span.endTimeUnixNano)
  writeAttributes(writer, 9, span.attributes)
  for (const { name, attributes: list } of span.events ?? []) {
    message(writer, 11, () => {
      text(writer, 2, name)
      writeAttributes(writer, 3, list)
    })
  }
  const { status } = span
  if (status === undefined) return
  message(writer, 15, () => {
    text(writer, 2, status.message)
    if (status.code !== undefined) writer.tag(3, WireType.Varint).int32(status.code)
  })
}

const writeLog = (writer: BinaryWriter, log: OtlpLog): void => {
  fixed(writer, 1, log.timeUnixNano)
  const { body } = log
  if (body !== undefined) message(writer, 5, () => writeValue(writer, body))
  writeAttributes(writer, 6, log.attributes)
  hex(writer, 9, log.traceId)
  hex(writer, 10, log.spanId)
  fixed(writer, 11, log.observedTimeUnixNano)
  text(writer, 12, log.eventName)
}
