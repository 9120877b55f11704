/** Parses each line of a byte stream. An invalid line is a rejection of that line only. */

import { InvalidJson, readJson } from '#formats/json.ts'
import { type Line, LineSplitter } from '#formats/lines.ts'
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

/**
 * Yields the lines that have arrived, in batches of at most `linesMax`. Skips empty lines. A line of more than `lineBytesMax`
 * becomes a rejection, and its bytes are not kept.
 */
export async function* readLines(
  chunks: AsyncIterable<Uint8Array>,
  { linesMax, lineBytesMax, skipped }: LineLimits,
): AsyncGenerator<LineBatch> {
  const splitter = new LineSplitter({ bytesMax: lineBytesMax })
  let lines: ParsedLine[] = []
  let bytesTaken = 0

  const add = (line: Line): void => {
    const parsed = parseLine(line, lineBytesMax)
    if (parsed !== undefined) lines.push(parsed)
  }

  /** Undefined if there were only skipped bytes. */
  const takeBatch = (): LineBatch | undefined => {
    const batch = { lines, bytes: splitter.bytesPassed - bytesTaken }
    lines = []
    bytesTaken = splitter.bytesPassed
    if (batch.lines.length > 0) return batch
    skipped(batch.bytes)
    return undefined
  }

  for await (const chunk of chunks) {
    for (const line of splitter.push(chunk)) {
      add(line)
      if (lines.length < linesMax) continue
      const full = takeBatch()
      if (full !== undefined) yield full
    }
    const batch = takeBatch()
    if (batch !== undefined) yield batch
  }
  const unended = splitter.end()
  if (unended !== undefined) add(unended)
  const last = takeBatch()
  if (last !== undefined) yield last
}

const parseLine = ({ number: line, bytes }: Line, bytesMax: number): ParsedLine | undefined => {
  if (bytes === undefined) return { line, field: '', reason: `must be a line of at most ${bytesMax} bytes` }
  if (isBlank(bytes)) return undefined
  try {
    return { line, entry: readJson(bytes, { isStart: line === 1 }) }
  } catch (error) {
    if (error instanceof InvalidJson) return { line, field: '', reason: error.message }
    throw error
  }
}

const isBlank = (bytes: Uint8Array): boolean => bytes.every((byte) => byte === 0x20 || byte === 0x0d || byte === 0x09)
