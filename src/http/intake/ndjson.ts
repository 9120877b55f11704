/** Cuts a stream of bytes into lines and parses each; what is wrong with a line is said of that line. */
import { InvalidJson, readJson } from '#formats/json.ts'
import type { Rejection } from '#metering/incoming-message.ts'

export type ParsedLine = { readonly line: number; readonly entry: unknown } | ({ readonly line: number } & Rejection)

export type LineBatch = readonly ParsedLine[]

const NEWLINE = 0x0a

/**
 * Yields lines in batches: those that have arrived, `linesMax` at the most. Empty lines are skipped. A line of more
 * than `lineBytesMax` is a rejection, and its bytes are not kept.
 */
export async function* readLines(
  chunks: AsyncIterable<Uint8Array>,
  { linesMax, lineBytesMax }: { readonly linesMax: number; readonly lineBytesMax: number },
): AsyncGenerator<LineBatch> {
  let line = 0
  let pending: Uint8Array[] = []
  let pendingBytes = 0
  let isTooLong = false
  let batch: ParsedLine[] = []

  const endLine = (tail: Uint8Array): void => {
    line++
    const isWhole = !isTooLong && pendingBytes + tail.length <= lineBytesMax
    const bytes = isWhole ? (pending.length === 0 ? tail : Buffer.concat([...pending, tail])) : undefined
    pending = []
    pendingBytes = 0
    isTooLong = false
    if (bytes === undefined) {
      batch.push({ line, field: '', reason: `must be a line of at most ${lineBytesMax} bytes` })
    } else {
      const parsed = parseLine(bytes, line)
      if (parsed !== undefined) batch.push(parsed)
    }
  }

  for await (const chunk of chunks) {
    let from = 0
    for (;;) {
      const end = chunk.indexOf(NEWLINE, from)
      if (end < 0) break
      endLine(chunk.subarray(from, end))
      from = end + 1
      if (batch.length < linesMax) continue
      yield batch
      batch = []
    }
    if (from < chunk.length && !isTooLong) {
      pendingBytes += chunk.length - from
      isTooLong = pendingBytes > lineBytesMax
      if (isTooLong) pending = []
      else pending.push(chunk.slice(from))
    }
    if (batch.length > 0) {
      yield batch
      batch = []
    }
  }
  if (pendingBytes > 0) endLine(new Uint8Array())
  if (batch.length > 0) yield batch
}

const parseLine = (bytes: Uint8Array, line: number): ParsedLine | undefined => {
  if (isBlank(bytes)) return undefined
  try {
    return { line, entry: readJson(bytes, { isStart: line === 1 }) }
  } catch (error) {
    if (error instanceof InvalidJson) return { line, field: '', reason: error.message }
    throw error
  }
}

const isBlank = (bytes: Uint8Array): boolean => bytes.every((byte) => byte === 0x20 || byte === 0x0d || byte === 0x09)
