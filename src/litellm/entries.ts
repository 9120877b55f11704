/** Splits a body into log entries while it arrives, so that a large body is never in memory as a whole. */
import { JsonElements } from '#formats/json-elements.ts'
import { LineSplitter } from '#formats/lines.ts'

/** The bytes of one entry. Undefined if it is too long, because its bytes are not kept. */
export type EntryBytes = Uint8Array | undefined

export type Entries = {
  /** The entries that end in the chunk. Throws BadJsonList if what is around them is no list. */
  readonly push: (chunk: Uint8Array) => readonly EntryBytes[]
  /** What is left at the end. Throws BadJsonList if the list is incomplete. */
  readonly end: () => readonly EntryBytes[]
  /** How many bytes are kept, because the entry that they begin has not ended. */
  readonly keptBytes: () => number
}

/** LiteLLM calls all three formats `application/json`, so the first bytes tell them apart. */
export const createEntries = (entryBytesMax: number): Entries => {
  let start = Buffer.alloc(0)
  let entries: Entries | undefined

  return {
    push: (chunk) => {
      if (entries !== undefined) return entries.push(chunk)
      start = Buffer.concat([start, chunk])
      const text = start.toString('latin1').trimStart()
      start = start.subarray(start.length - text.length)
      // An object that begins with a line end is written over several lines, by another sender or by hand.
      if (/^(?:\[|\{\s*[\r\n])/.test(text)) entries = listEntries(entryBytesMax)
      else if (/^(?:\{\s*)?\S/.test(text) && text !== '{') entries = lineEntries(entryBytesMax)
      return entries?.push(start) ?? []
    },
    end: () => entries?.end() ?? (start.length === 0 ? [] : [start]),
    keptBytes: () => entries?.keptBytes() ?? start.length,
  }
}

const listEntries = (entryBytesMax: number): Entries => {
  // An entry has messages of its own, so no name may make an object a list.
  const elements = new JsonElements(NO_NAME, entryBytesMax)
  return {
    push: (chunk) => elements.push(Buffer.from(chunk)).map(({ bytes }) => bytes),
    end: () => {
      elements.end()
      return []
    },
    keptBytes: () => elements.pendingBytes,
  }
}

const NO_NAME = '\n'

const lineEntries = (bytesMax: number): Entries => {
  const lines = new LineSplitter({ bytesMax })
  let arrived = 0
  const isBlank = (bytes: EntryBytes): boolean =>
    bytes?.every((byte) => byte === 0x20 || byte === 0x0d || byte === 0x09) === true
  return {
    push: (chunk) => {
      arrived += chunk.length
      return [...lines.push(chunk)].map(({ bytes }) => bytes).filter((bytes) => !isBlank(bytes))
    },
    end: () => {
      const last = lines.end()
      return last === undefined || isBlank(last.bytes) ? [] : [last.bytes]
    },
    keptBytes: () => arrived - lines.bytesPassed,
  }
}
