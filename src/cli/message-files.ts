/** Files of messages, as they are found in the world: JSON, NDJSON or CSV, plain or gzip, from a disk or from standard input. */
import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { PassThrough, Readable } from 'node:stream'
import { createGunzip } from 'node:zlib'
import { parse as parseCsv } from 'csv-parse'
import type { JsonListing } from '#service.ts'
import { CommandFailed } from './failure.ts'

export const FORMATS = ['json', 'ndjson', 'csv'] as const
export type Format = (typeof FORMATS)[number]

/** `place` is the line of NDJSON, the record of CSV or the place in the array of JSON, from 1. */
export type FileEntry =
  | { readonly place: number; readonly entry: unknown }
  | { readonly place: number; readonly problem: string }

export type MessageFile = {
  /** Bytes on the disk; undefined for standard input. */
  readonly bytes: number | undefined
  readonly entries: AsyncIterable<FileEntry>
}

export type FileNeeds = {
  /** Is told how many bytes of the file have been read. */
  readonly progress: (bytes: number) => void
  readonly format: Format | undefined
  /** Ids of CSV stay texts, even where they read as integers. */
  readonly stringIds: boolean
  readonly JsonListing: typeof JsonListing
}

/** Opens a file, `-` for standard input. Throws CommandFailed where it cannot be read. */
export const openMessageFile = async (path: string, needs: FileNeeds): Promise<MessageFile> => {
  const bytes = path === '-' ? undefined : await sizeOf(path)
  const raw: Readable = path === '-' ? process.stdin : createReadStream(path)
  return { bytes, entries: readEntries(path, raw, needs) }
}

const sizeOf = async (path: string): Promise<number> => {
  try {
    const found = await stat(path)
    if (found.isDirectory()) throw new Error('it is a folder')
    return found.size
  } catch (error) {
    throw new CommandFailed(`${path}: ${error instanceof Error ? error.message : error}`)
  }
}

async function* readEntries(path: string, raw: Readable, needs: FileNeeds): AsyncGenerator<FileEntry> {
  try {
    const plain = await unzipped(counted(raw, needs.progress))
    const [head, chunks] = await peeked(plain)
    const format = needs.format ?? formatOf(path, head)
    if (format === 'json') yield* jsonEntries(chunks, needs.JsonListing)
    else if (format === 'csv') yield* csvEntries(chunks, needs.stringIds)
    else yield* ndjsonEntries(chunks)
  } catch (error) {
    if (error instanceof CommandFailed) throw error
    throw new CommandFailed(`${path}: ${error instanceof Error ? error.message : error}`)
  }
}

async function* counted(raw: Readable, progress: (bytes: number) => void): AsyncGenerator<Buffer> {
  let bytes = 0
  for await (const chunk of raw) {
    bytes += (chunk as Buffer).length
    progress(bytes)
    yield chunk as Buffer
  }
}

type Chunks = AsyncIterable<Buffer>

/** The first chunk, and all of them. */
const peeked = async (chunks: Chunks): Promise<readonly [Buffer, Chunks]> => {
  const iterator = chunks[Symbol.asyncIterator]()
  const first = await iterator.next()
  const head = first.done === true ? Buffer.alloc(0) : first.value
  async function* all(): AsyncGenerator<Buffer> {
    if (head.length > 0) yield head
    for (;;) {
      const next = await iterator.next()
      if (next.done === true) return
      yield next.value
    }
  }
  return [head, all()]
}

/** gzip is known by its first two bytes, whatever the file is called. */
const unzipped = async (chunks: Chunks): Promise<Chunks> => {
  const [head, all] = await peeked(chunks)
  if (head[0] !== 0x1f || head[1] !== 0x8b) return all
  const gunzip = createGunzip()
  const source = Readable.from(all)
  source.on('error', (error) => gunzip.destroy(error))
  return source.pipe(gunzip)
}

const formatOf = (path: string, head: Buffer): Format => {
  const [, extension = ''] = /\.(\w+)(?:\.gz)?$/.exec(path.toLowerCase()) ?? []
  if (extension === 'csv') return 'csv'
  if (extension === 'ndjson' || extension === 'jsonl') return 'ndjson'
  const start = head
    .subarray(0, 1000)
    .toString('utf8')
    .trimStart()
    .replace(/^\ufeff/, '')
  if (/^\{\s*"messages"/.test(start)) return 'json'
  if (start.startsWith('{')) return extension === 'json' && !/^\{[^\n]*"id"/.test(start) ? 'json' : 'ndjson'
  return 'csv'
}

async function* jsonEntries(chunks: Chunks, Listing: typeof JsonListing): AsyncGenerator<FileEntry> {
  let taken: FileEntry[] = []
  const listing = new Listing((elements, first) => {
    taken.push(...elements.map((entry, index) => ({ place: first + index + 1, entry })))
  })
  for await (const chunk of chunks) {
    listing.push(chunk)
    yield* taken
    taken = []
  }
  listing.end()
  yield* taken
}

const decoder = new TextDecoder('utf-8', { fatal: true })
const NEWLINE = 0x0a

async function* ndjsonEntries(chunks: Chunks): AsyncGenerator<FileEntry> {
  let place = 0
  let pending: Buffer[] = []
  const parse = (tail: Buffer): FileEntry | undefined => {
    place++
    const bytes = pending.length === 0 ? tail : Buffer.concat([...pending, tail])
    pending = []
    try {
      const text = decoder.decode(bytes)
      return text.trim() === '' ? undefined : { place, entry: JSON.parse(text) }
    } catch (error) {
      return { place, problem: error instanceof SyntaxError ? 'must be valid JSON' : 'must be valid UTF-8' }
    }
  }
  for await (const chunk of chunks) {
    let from = 0
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, from)) {
      const parsed = parse(chunk.subarray(from, end))
      if (parsed !== undefined) yield parsed
      from = end + 1
    }
    if (from < chunk.length) pending.push(chunk.subarray(from))
  }
  const last = pending.length > 0 ? parse(Buffer.alloc(0)) : undefined
  if (last !== undefined) yield last
}

/** The first record names the columns: id, text, timestamp, and report_id and user_id where there are any. */
async function* csvEntries(chunks: Chunks, stringIds: boolean): AsyncGenerator<FileEntry> {
  const parser = parseCsv({ columns: true, bom: true, skip_empty_lines: true, relax_column_count: true })
  const source = Readable.from(chunks)
  source.on('error', (error) => parser.destroy(error))
  let place = 0
  for await (const record of source.pipe(new PassThrough()).pipe(parser)) {
    place++
    const { id, report_id: reportId, user_id: userId, ...rest } = record as Readonly<Record<string, string>>
    yield {
      place,
      entry: {
        ...rest,
        ...(id !== undefined && { id: stringIds ? id : toId(id) }),
        ...(reportId !== undefined && reportId !== '' && { report_id: toId(reportId) }),
        ...(userId !== undefined && userId !== '' && { user_id: userId }),
      },
    }
  }
}

const toId = (text: string): string | number => {
  const number = Number(text)
  return Number.isSafeInteger(number) && String(number) === text ? number : text
}
