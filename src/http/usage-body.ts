/**
 * The body of `GET /usage`: rendered once for each state of the period and shared by all readers. It is kept as the bytes to
 * send, so a reader costs only a position in them.
 */
import { createHash } from 'node:crypto'
import { Readable } from 'node:stream'
import { setImmediate as letOthersRun } from 'node:timers/promises'
import { constants, createBrotliCompress, createGzip } from 'node:zlib'
import { isCharged, toUsageText, type UsageLine } from '#model/usage-line.ts'

export type Encoding = 'identity' | 'gzip' | 'br'

export type UsageBody = {
  /** Changes if and only if the bytes change. Without quotes and without a suffix for the encoding. */
  readonly tag: string
  readonly byteLength: number
  /** How many messages have no line because they have no price. */
  readonly unpriced: number
  /** Bytes in memory now, including the encodings that were requested so far. */
  readonly bytesHeld: () => number
  /** The bytes in an encoding. The first request starts compressing; later ones share its output as it is produced. */
  readonly in: (encoding: Encoding) => SharedBytes
}

/** Reads the lines once. Yields to the event loop every few hundred lines, so that a large period does not block it. */
export const renderUsage = async (lines: Iterable<UsageLine>): Promise<UsageBody> => {
  const writer = createBodyWriter()
  for (const line of lines) if (writer.add(line)) await letOthersRun()
  return writer.end()
}

/** Like `renderUsage`, for lines that come page by page. */
export const renderUsagePages = async (pages: AsyncIterable<readonly UsageLine[]>): Promise<UsageBody> => {
  const writer = createBodyWriter()
  for await (const page of pages) for (const line of page) if (writer.add(line)) await letOthersRun()
  return writer.end()
}

const createBodyWriter = () => {
  const identity = new SharedBytes()
  const hash = createHash('sha256')
  const nameOf = quoted()
  let text = '{"usage":['
  let separator = ''
  let unpriced = 0
  const write = (): void => {
    const bytes = Buffer.from(text)
    hash.update(bytes)
    identity.append(bytes)
    text = ''
  }
  return {
    /** True if a chunk is complete, so that the caller can yield to the event loop. */
    add: (line: UsageLine): boolean => {
      if (!isCharged(line)) {
        unpriced++
        return false
      }
      text += separator + toUsageText(line, nameOf)
      separator = ','
      if (text.length < PIECE_CHARACTERS) return false
      write()
      return true
    },
    end: (): UsageBody => {
      text += ']}'
      write()
      identity.end()
      return usageBody(identity, hash.digest('base64url').slice(0, 27), unpriced)
    },
  }
}

const PIECE_CHARACTERS = 64 * 1024

const usageBody = (identity: SharedBytes, tag: string, unpriced: number): UsageBody => {
  const encoded = new Map<Encoding, SharedBytes>([['identity', identity]])
  return {
    tag,
    byteLength: identity.byteLength,
    unpriced,
    bytesHeld: () => encoded.values().reduce((sum, { byteLength }) => sum + byteLength, 0),
    in: (encoding) => {
      const bytes = encoded.get(encoding) ?? compress(identity, encoding, () => encoded.delete(encoding))
      encoded.set(encoding, bytes)
      return bytes
    },
  }
}

const quoted = () => {
  const known = new Map<string, string>()
  return (name: string): string => {
    const json = known.get(name) ?? JSON.stringify(name)
    known.set(name, json)
    return json
  }
}

/** Bytes that are written once, in chunks, and read by any number of readers, even while they are being written. */
export class SharedBytes {
  readonly #chunks: Buffer[] = []
  #unfilled: Buffer[] = []
  #unfilledBytes = 0
  #byteLength = 0
  #state: 'growing' | 'complete' | 'failed' = 'growing'
  #waiting: (() => void)[] = []
  #readers = 0
  readonly #abandoned: () => void

  /** Calls `abandoned` if the last reader leaves before the bytes are complete. */
  constructor(abandoned: () => void = () => {}) {
    this.#abandoned = abandoned
  }

  get byteLength(): number {
    return this.#byteLength
  }

  get isComplete(): boolean {
    return this.#state === 'complete'
  }

  /** All bytes, if they are complete and in one chunk. */
  get whole(): Buffer | undefined {
    return this.isComplete && this.#chunks.length === 1 ? this.#chunks[0] : undefined
  }

  append(bytes: Buffer): void {
    this.#unfilled.push(bytes)
    this.#unfilledBytes += bytes.length
    this.#byteLength += bytes.length
    if (this.#unfilledBytes >= CHUNK_BYTES) this.#fillChunk()
  }

  end(): void {
    this.#fillChunk()
    this.#settle('complete')
  }

  fail(): void {
    this.#settle('failed')
  }

  /** An independent reader, which is only as fast as its destination. */
  stream(): Readable {
    let next = 0
    this.#readers++
    const leave = (): void => {
      this.#readers--
      if (this.#readers === 0 && this.#state === 'growing') this.#abandoned()
    }
    const readNext = (stream: Readable): void => {
      const chunk = this.#chunks[next]
      if (chunk !== undefined) {
        next++
        stream.push(chunk)
      } else if (this.#state === 'complete') {
        stream.push(null)
      } else if (this.#state === 'failed') {
        stream.destroy(new Error('the body could not be compressed'))
      } else {
        this.#waiting.push(() => readNext(stream))
      }
    }
    return new Readable({
      highWaterMark: 1,
      read() {
        readNext(this)
      },
      destroy(error, done) {
        leave()
        done(error)
      },
    })
  }

  #fillChunk(): void {
    if (this.#unfilledBytes > 0) this.#chunks.push(Buffer.concat(this.#unfilled, this.#unfilledBytes))
    this.#unfilled = []
    this.#unfilledBytes = 0
    this.#wake()
  }

  #settle(state: 'complete' | 'failed'): void {
    this.#state = state
    this.#wake()
  }

  #wake(): void {
    const waiting = this.#waiting
    this.#waiting = []
    for (const wake of waiting) wake()
  }
}

const CHUNK_BYTES = 1024 * 1024

/** Uses fast compression levels, because the body changes with every message. */
const compress = (identity: SharedBytes, encoding: Encoding, abandoned: () => void): SharedBytes => {
  const compressor =
    encoding === 'br'
      ? createBrotliCompress({
          params: { [constants.BROTLI_PARAM_QUALITY]: 4, [constants.BROTLI_PARAM_SIZE_HINT]: identity.byteLength },
        })
      : createGzip({ level: 5 })
  const source = identity.stream()
  const compressed = new SharedBytes(() => {
    abandoned()
    source.destroy()
    compressor.destroy()
  })
  compressor.on('data', (bytes: Buffer) => compressed.append(bytes))
  compressor.on('end', () => compressed.end())
  compressor.on('error', () => compressed.fail())
  source.pipe(compressor)
  return compressed
}
