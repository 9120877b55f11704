/**
 * Reads files of messages as real programs write them: JSON, NDJSON or CSV, plain or gzip, in many encodings, from a disk or
 * from standard input. Anything ambiguous is a WrongFile, or an entry with a problem: a guess could be a wrong charge. The
 * messages of parser errors are never passed on, because they quote the input.
 */
import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import type { Readable } from 'node:stream'
import { kindOfFile } from '#formats/file-kind.ts'
import { toUtf8 } from '#formats/text-encoding.ts'
import { type CsvNeeds, csvEntries } from './csv-messages.ts'
import { WrongPlace, wrong } from './failure.ts'
import type { Chunks, FileEntries } from './file-entry.ts'
import { isOfLines, jsonEntries, ndjsonEntries } from './json-messages.ts'
import { counted, encodingOf, peeked, sizeOf, toWrongFile, unchanged, unzipped } from './text-files.ts'

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

/** How much of a file decides its kind and encoding, and how much decides its format. */
const KIND_BYTES = 4 * 1024
const HEAD_BYTES = 64 * 1024

const sizeLeft = async (chunks: Chunks): Promise<number> => {
  let bytes = 0
  for await (const chunk of chunks) {
    bytes += chunk.length
    if (bytes > HEAD_BYTES) break
  }
  return bytes
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
