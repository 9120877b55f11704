/**
 * Reads files of messages as real programs write them: JSON, NDJSON or CSV, plain or gzip, in many encodings, from a disk or
 * from standard input. Anything ambiguous is a WrongFile, or an entry with a problem: a guess could be a wrong charge. The
 * messages of parser errors are never passed on, because they quote the input.
 */
import { createReadStream, type Stats } from 'node:fs'
import { access, constants, stat } from 'node:fs/promises'
import { Readable } from 'node:stream'
import { createGunzip } from 'node:zlib'
import { CsvTooLong } from '#formats/csv.ts'
import { kindOfFile } from '#formats/file-kind.ts'
import { fileProblem } from '#formats/file-problem.ts'
import { BadJsonList } from '#formats/json-elements.ts'
import { BadEncoding, encodingOfMark, looksLikeUtf16, toUtf8 } from '#formats/text-encoding.ts'
import { type CsvNeeds, csvEntries } from './csv-messages.ts'
import { CommandFailed, WrongFile, WrongPlace, wrong } from './failure.ts'
import type { Chunks, FileEntries } from './file-entry.ts'
import { isOfLines, jsonEntries, ndjsonEntries } from './json-messages.ts'

export const FORMATS = ['json', 'ndjson', 'csv'] as const
export type Format = (typeof FORMATS)[number]

export type MessageFile = {
  /** Size on disk; undefined for standard input. */
  readonly bytes: number | undefined
  /** Throws WrongFile, or the reason of `stop`. */
  readonly entries: AsyncIterable<FileEntries>
}

export type FileNeeds = CsvNeeds & {
  /** Called with the number of bytes read so far. */
  readonly progress: (bytes: number) => void
  readonly format: Format | undefined
  /** If undefined: as the byte order mark says, or UTF-8. */
  readonly encoding: string | undefined
  /** Called with a remark about content that is ignored. */
  readonly note: (text: string) => void
  readonly stop: AbortSignal
}

/** Throws CommandFailed if the file cannot be read. */
export const checkMessageFile = async (path: string): Promise<void> => {
  if (path !== '-') await sizeOf(path)
}

/** Opens a file, `-` for standard input. Throws CommandFailed if it cannot be read. */
export const openMessageFile = async (path: string, needs: FileNeeds): Promise<MessageFile> => {
  const bytes = path === '-' ? undefined : await sizeOf(path)
  return { bytes, entries: readEntries(path, needs) }
}

const sizeOf = async (path: string): Promise<number> => {
  try {
    const found = await stat(path)
    if (found.isDirectory()) throw new Error('is a directory')
    await access(path, constants.R_OK)
    return found.size
  } catch (error) {
    throw new CommandFailed(`${path}: ${fileProblem(error)}`)
  }
}

async function* readEntries(path: string, needs: FileNeeds): AsyncGenerator<FileEntries> {
  const { stop } = needs
  const before = path === '-' ? undefined : await stat(path)
  const raw: Readable = path === '-' ? process.stdin : createReadStream(path)
  const cutOff = (): void => {
    raw.destroy(stop.reason)
  }
  stop.addEventListener('abort', cutOff)
  try {
    let count = 0
    for await (const entries of entriesOf(path, unchanged(path, before, counted(raw, needs.progress)), needs)) {
      count += entries.length
      yield entries
    }
    if (count === 0) throw new WrongPlace({ line: 0, column: 0, reason: 'contains no messages' })
  } catch (error) {
    if (stop.aborted) throw stop.reason
    throw toWrongFile(path, error)
  } finally {
    stop.removeEventListener('abort', cutOff)
  }
}

async function* entriesOf(path: string, raw: Chunks, needs: FileNeeds): AsyncGenerator<FileEntries> {
  const plain = await unzipped(raw)
  const [start, bytes] = await peeked(plain, KIND_BYTES)
  const kind = kindOfFile(start)
  if (kind !== undefined) throw wrong(`is ${kind}; ${SUPPORTED}`)
  const [head, chunks] = await peeked(toUtf8(bytes, encodingOf(start, needs.encoding)), HEAD_BYTES)
  const text = head.toString()
  if (text.trim() === '') {
    if ((await sizeLeft(chunks)) > HEAD_BYTES) throw wrong('starts with more than 64 KiB of white space')
    throw wrong(head.length === 0 ? 'is empty' : 'contains only white space')
  }
  const format = formatOf(path, text, needs.format)
  if (format === 'csv') yield* csvEntries(chunks, { text, isWhole: head.length < HEAD_BYTES }, needs)
  else if (format === 'json') yield* jsonEntries(chunks, needs.note)
  else yield* ndjsonEntries(chunks, text.includes('\n') ? '\n' : '\r')
}

const SUPPORTED = 'import reads JSON, NDJSON and CSV, plain or gzip'

const toWrongFile = (path: string, error: unknown): unknown => {
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

async function* counted(raw: Readable, progress: (bytes: number) => void): AsyncGenerator<Buffer> {
  let bytes = 0
  for await (const chunk of raw) {
    bytes += (chunk as Buffer).length
    progress(bytes)
    yield chunk as Buffer
  }
}

/** Fails if the file changed while it was read: its last message may have been incomplete. */
async function* unchanged(path: string, before: Stats | undefined, chunks: Chunks): AsyncGenerator<Buffer> {
  yield* chunks
  if (before?.isFile() !== true) return
  const after = await stat(path).catch(() => before)
  const isSame = after.size === before.size && after.mtimeMs === before.mtimeMs
  // A new file under the same name does not affect the one that was read.
  if (!isSame && after.ino === before.ino) throw wrong('changed while being read; import it again once it is complete')
}

/** How much of a file decides its kind and encoding, and how much decides its format. */
const KIND_BYTES = 4 * 1024
const HEAD_BYTES = 64 * 1024

/** Returns the first `least` bytes or more, unless the file is shorter, and all chunks including those bytes. */
const peeked = async (chunks: Chunks, least: number): Promise<readonly [Buffer, Chunks]> => {
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

const sizeLeft = async (chunks: Chunks): Promise<number> => {
  let bytes = 0
  for await (const chunk of chunks) {
    bytes += chunk.length
    if (bytes > HEAD_BYTES) break
  }
  return bytes
}

/** Detects gzip by its first two bytes, not by the file's name. */
const unzipped = async (chunks: Chunks): Promise<Chunks> => {
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

const encodingOf = (head: Buffer, asked: string | undefined): string => {
  const mark = encodingOfMark(head)
  if (mark === 'utf-32') throw wrong('is UTF-32; save it as UTF-8')
  if (asked !== undefined && mark !== undefined && mark !== asked) {
    throw wrong(`starts with a ${mark} byte order mark; remove --encoding ${asked}`)
  }
  const likely = asked === undefined && mark === undefined ? looksLikeUtf16(head) : undefined
  if (likely !== undefined) throw wrong(`looks like ${likely} without a byte order mark; try --encoding ${likely}`)
  return asked ?? mark ?? 'utf-8'
}

/** The beginning of the file decides. Its name and --format count only if that is ambiguous. */
const formatOf = (path: string, text: string, asked: Format | undefined): Format => {
  const [, extension = ''] = /\.(\w+)(?:\.gz)?$/.exec(path.toLowerCase()) ?? []
  const first = text.trimStart()[0]
  if (asked === 'csv') return 'csv'
  if (first === '[') return 'json'
  if (first === '{') return asked === 'json' || !isOfLines(text) ? 'json' : 'ndjson'
  if (asked !== undefined) return asked
  if (extension === 'ndjson' || extension === 'jsonl') return 'ndjson'
  return extension === 'json' ? 'json' : 'csv'
}
