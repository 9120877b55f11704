/** Parses each line of a byte stream. An invalid line is a rejection of that line only. */

import { InvalidJson, readJson } from '#formats/json.ts'
import { type Line, LineSplitter } from '#formats/lines.ts'
import type { Rejection } from '#intake/incoming-message.ts'

export type LineBatch = {
  /** The number of each line. */
  readonly numbers: readonly number[]
  /** By index in `numbers`: the lines that are not JSON. */
  readonly rejections: ReadonlyMap<number, Rejection>
  /** What the other lines say, in order. */
  readonly entries: unknown[]
  /** How many bytes its lines have, and those skipped between them. */
  readonly bytes: number
}

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
  let numbers: number[] = []
  let rejections = new Map<number, Rejection>()
  let entries: unknown[] = []
  let bytesTaken = 0

  const add = ({ number, bytes }: Line): void => {
    if (bytes !== undefined && isBlank(bytes)) return
    const reject = (reason: string) => rejections.set(numbers.length, { field: '', reason })
    try {
      if (bytes === undefined) reject(`must be a line of at most ${lineBytesMax} bytes`)
      else entries.push(readJson(bytes, { isStart: number === 1 }))
    } catch (error) {
      if (!(error instanceof InvalidJson)) throw error
      reject(error.message)
    }
    numbers.push(number)
  }

  /** Undefined if there were only skipped bytes. */
  const takeBatch = (): LineBatch | undefined => {
    const batch = { numbers, rejections, entries, bytes: splitter.bytesPassed - bytesTaken }
    numbers = []
    rejections = new Map()
    entries = []
    bytesTaken = splitter.bytesPassed
    if (batch.numbers.length > 0) return batch
    skipped(batch.bytes)
    return undefined
  }

  for await (const chunk of chunks) {
    for (const line of splitter.push(chunk)) {
      add(line)
      if (numbers.length < linesMax) continue
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

const isBlank = (bytes: Uint8Array): boolean => bytes.every((byte) => byte === 0x20 || byte === 0x0d || byte === 0x09)
