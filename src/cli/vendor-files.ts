/** The files that `reconcile` reads: a vendor's, and pairs of names. */
import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import type { Readable } from 'node:stream'
import { CsvReader } from '#formats/csv.ts'
import { kindOfFile } from '#formats/file-kind.ts'
import { toUtf8 } from '#formats/text-encoding.ts'
import { delimiterOf } from '#reconciling/layout.ts'
import { WrongFile, wrong } from './failure.ts'
import { counted, encodingOf, peeked, sizeOf, toWrongFile, unchanged, unzipped } from './text-files.ts'

type ReadNeeds = {
  readonly encoding?: string | undefined
  /** Called with the number of bytes read so far. */
  readonly progress: (bytes: number) => void
}

/** The text of a CSV file, plain or gzip; `-` is standard input. Throws WrongFile. */
export async function* readVendorFile(path: string, { encoding, progress }: ReadNeeds): AsyncGenerator<string> {
  if (path !== '-') await sizeOf(path)
  const before = path === '-' ? undefined : await stat(path)
  const raw: Readable = path === '-' ? process.stdin : createReadStream(path)
  try {
    const plain = await unzipped(unchanged(path, before, counted(raw, progress)))
    const [start, bytes] = await peeked(plain, KIND_BYTES)
    const kind = kindOfFile(start)
    if (kind !== undefined) throw wrong(`is ${kind}; reconcile reads CSV, plain or gzip`)
    for await (const chunk of toUtf8(bytes, encodingOf(start, encoding))) yield chunk.toString()
  } catch (error) {
    throw toWrongFile(path, error)
  }
}

const KIND_BYTES = 4 * 1024

/** Of a CSV file with two columns and a header row: the vendor's name, and ours. Throws WrongFile. */
export const readNamePairs = async (path: string): Promise<Readonly<Record<string, string>>> => {
  const texts = []
  for await (const text of readVendorFile(path, { progress: () => {} })) texts.push(text)
  const text = texts.join('')
  const reader = new CsvReader(delimiterOf(text.slice(0, KIND_BYTES)))
  const pairs = new Map<string, string>()
  for (const [index, record] of [...reader.push(text), ...reader.end()].entries()) {
    if ('problem' in record) throw new WrongFile(path, `, line ${record.problem.line}: ${record.problem.reason}`)
    const [theirs = '', ours = '', ...more] = record.fields.map((cell) => cell.trim())
    if (theirs === '' || ours === '' || more.some((cell) => cell !== ''))
      throw new WrongFile(path, `, line ${record.line}: must have two cells, the vendor's name and ours`)
    if (index === 0) continue
    if (pairs.has(theirs)) throw new WrongFile(path, `: has two rows for ${JSON.stringify(theirs)}`)
    pairs.set(theirs, ours)
  }
  return Object.fromEntries(pairs)
}
