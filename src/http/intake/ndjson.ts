/** Splits a byte stream into lines and parses each. An invalid line is a rejection of that line only. */

import { CollectedBytes } from '#formats/collected-bytes.ts'
import { InvalidJson, readJson } from '#formats/json.ts'
import type { Rejection } from '#intake/incoming-message.ts'

export type ParsedLine = { readonly line: number; readonly entry: unknown } | ({ readonly line: number } & Rejection)

/** `bytes` counts its lines and the skipped bytes between them. */
export type LineBatch = { readonly lines: readonly ParsedLine[]; readonly bytes: number }

export type LineLimits = {
  readonly linesMax: number
  readonly lineBytesMax: number
  /** Called with the number of skipped bytes that belong to no batch. */
  readonly skipped: (bytes: number) => void
}

const NEWLINE = 0x0a

/**
 * Yields the lines that have arrived, in batches of at most `linesMax`. Skips empty lines. A line of more than `lineBytesMax`
 * becomes a rejection, and its bytes are not kept.
 */
export async function* readLines(
  chunks: AsyncIterable<Uint8Array>,
  { linesMax, lineBytesMax, skipped }: LineLimits,
): AsyncGenerator<LineBatch> {
  let line = 0
  const pending = new CollectedBytes()
  let isTooLong = false
  let lines: ParsedLine[] = []
  let bytes = 0

  const endLine = (tail: Uint8Array): void => {
    line++
    bytes += pending.length + tail.length
    const isWhole = !isTooLong && pending.length + tail.length <= lineBytesMax
    isTooLong = false
    if (!isWhole) {
      pending.clear()
      lines.push({ line, field: '', reason: `must be a line of at most ${lineBytesMax} bytes` })
      return
    }
    if (pending.length > 0) pending.push(tail)
    const parsed = parseLine(pending.length === 0 ? tail : pending.take(), line)
    if (parsed !== undefined) lines.push(parsed)
  }

  const keepPart = (part: Uint8Array): void => {
    if (!isTooLong && pending.length + part.length <= lineBytesMax) {
      pending.push(part)
      return
    }
    isTooLong = true
    bytes += pending.length + part.length
    pending.clear()
  }

  /** Undefined if there were only skipped bytes. */
  const takeBatch = (): LineBatch | undefined => {
    const batch = { lines, bytes }
    lines = []
    bytes = 0
    if (batch.lines.length > 0) return batch
    skipped(batch.bytes)
    return undefined
  }

  for await (const chunk of chunks) {
    let from = 0
    for (;;) {
      const end = chunk.indexOf(NEWLINE, from)
      if (end < 0) break
      endLine(chunk.subarray(from, end))
      bytes++
      from = end + 1
      if (lines.length < linesMax) continue
      const batch = takeBatch()
      if (batch !== undefined) yield batch
    }
    if (from < chunk.length) keepPart(chunk.subarray(from))
    const batch = takeBatch()
    if (batch !== undefined) yield batch
  }
  if (pending.length > 0 || isTooLong) endLine(new Uint8Array())
  const last = takeBatch()
  if (last !== undefined) yield last
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
