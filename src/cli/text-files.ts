/** Files of text as real programs write them: plain or gzip, in many encodings; and what is wrong with one. */
import type { Stats } from 'node:fs'
import { access, constants, stat } from 'node:fs/promises'
import { Readable } from 'node:stream'
import { createGunzip } from 'node:zlib'
import { CsvTooLong } from '#formats/csv.ts'
import { fileProblem } from '#formats/file-problem.ts'
import { BadJsonList } from '#formats/json-elements.ts'
import { BadEncoding, encodingOfMark, looksLikeUtf16 } from '#formats/text-encoding.ts'
import { CommandFailed, WrongFile, WrongPlace, wrong } from './failure.ts'
import type { Chunks } from './file-entry.ts'

export const sizeOf = async (path: string): Promise<number> => {
  try {
    const found = await stat(path)
    if (found.isDirectory()) throw new Error('is a directory')
    await access(path, constants.R_OK)
    return found.size
  } catch (error) {
    throw new CommandFailed(`${path}: ${fileProblem(error)}`)
  }
}

export const toWrongFile = (path: string, error: unknown): unknown => {
  if (error instanceof WrongPlace || error instanceof BadEncoding || error instanceof BadJsonList) {
    const { line, column, message } = error
    return new WrongFile(path, line === 0 ? `: ${message}` : `, line ${line}, column ${column}: ${message}`)
  }
  if (error instanceof CsvTooLong) return new WrongFile(path, `, line ${error.problem.line}: ${error.problem.reason}`)
  const { code = '', message = '' } = error as { readonly code?: unknown; readonly message?: string }
  if (code === 'Z_BUF_ERROR') return new WrongFile(path, ': ends in the middle of its gzip data; it may be truncated')
  if (String(code).startsWith('Z_')) return new WrongFile(path, `: has damaged gzip data (${message})`)
  return error instanceof Error && 'syscall' in error ? new WrongFile(path, `: ${fileProblem(error)}`) : error
}

export async function* counted(raw: Readable, progress: (bytes: number) => void): AsyncGenerator<Buffer> {
  let bytes = 0
  for await (const chunk of raw) {
    bytes += (chunk as Buffer).length
    progress(bytes)
    yield chunk as Buffer
  }
}

/** Fails if the file changed while it was read: its end may have been incomplete. */
export async function* unchanged(path: string, before: Stats | undefined, chunks: Chunks): AsyncGenerator<Buffer> {
  yield* chunks
  if (before?.isFile() !== true) return
  const after = await stat(path).catch(() => before)
  const isSame = after.size === before.size && after.mtimeMs === before.mtimeMs
  // A new file under the same name does not affect the one that was read.
  if (!isSame && after.ino === before.ino) throw wrong('changed while being read; try again once it is complete')
}

/** Returns the first `least` bytes or more, unless the file is shorter, and all chunks including those bytes. */
export const peeked = async (chunks: Chunks, least: number): Promise<readonly [Buffer, Chunks]> => {
  const iterator = chunks[Symbol.asyncIterator]()
  const first: Buffer[] = []
  for (let bytes = 0; bytes < least; ) {
    const next = await iterator.next()
    if (next.done === true) break
    first.push(next.value)
    bytes += next.value.length
  }
  async function* all(): AsyncGenerator<Buffer> {
    yield* first
    first.length = 0
    for (;;) {
      const next = await iterator.next()
      if (next.done === true) return
      yield next.value
    }
  }
  return [first.length === 1 ? (first[0] as Buffer) : Buffer.concat(first), all()]
}

/** Detects gzip by its first two bytes, not by the file's name. */
export const unzipped = async (chunks: Chunks): Promise<Chunks> => {
  const [head, all] = await peeked(chunks, 2)
  if (head[0] !== 0x1f || head[1] !== 0x8b) return all
  const gunzip = createGunzip()
  let given = 0
  async function* counting(): AsyncGenerator<Buffer> {
    for await (const chunk of all) {
      given += chunk.length
      yield chunk
    }
  }
  const source = Readable.from(counting())
  source.on('error', (error) => gunzip.destroy(error))
  async function* unpacked(): AsyncGenerator<Buffer> {
    yield* source.pipe(gunzip) as AsyncIterable<Buffer>
    // Node.js silently ignores what follows the compressed data.
    if (gunzip.bytesWritten < given) throw wrong('has other data after its gzip data')
  }
  return unpacked()
}

export const encodingOf = (head: Buffer, asked: string | undefined): string => {
  const mark = encodingOfMark(head)
  if (mark === 'utf-32') throw wrong('is UTF-32; save it as UTF-8')
  if (asked !== undefined && mark !== undefined && mark !== asked) {
    throw wrong(`starts with a ${mark} byte order mark; remove --encoding ${asked}`)
  }
  const likely = asked === undefined && mark === undefined ? looksLikeUtf16(head) : undefined
  if (likely !== undefined) throw wrong(`looks like ${likely} without a byte order mark; try --encoding ${likely}`)
  return asked ?? mark ?? 'utf-8'
}
