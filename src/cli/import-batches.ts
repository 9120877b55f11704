/** Sends the entries of a file to a target, in batches. */
import { createOrderedBatches } from '#intake/ordered-batches.ts'
import { CommandFailed } from './failure.ts'
import type { FileEntries, FileEntry } from './file-entry.ts'
import type { Result, Target } from './import-targets.ts'

/**
 * Sends several batches at once and passes on the results in the order of the file. If a batch fails, the results of the
 * others are still passed on, and `leave` gets the number of messages whose outcome is unknown.
 */
export const takeAll = async (
  pieces: AsyncIterable<FileEntries>,
  target: Target,
  tell: (entry: FileEntry, result: Result) => void,
  leave: (count: number) => void,
): Promise<void> => {
  const batches = createOrderedBatches(BATCHES_AT_ONCE)
  let failure: { readonly error: unknown } | undefined
  const fail = (error: unknown): void => {
    failure ??= { error }
  }
  const send = async (batch: readonly FileEntry[]): Promise<void> => {
    const messages = batch.flatMap((each) => ('entry' in each ? [each.entry] : []))
    const results = target.take(messages).catch((error: unknown) => {
      fail(error)
      leave(messages.length)
      return undefined
    })
    await batches.add(results, (taken) => {
      try {
        if (taken !== undefined) tellAll(batch, taken, tell)
      } catch (error) {
        fail(error)
      }
    })
  }
  try {
    let batch: FileEntry[] = []
    let bytes = 0
    for await (const entries of pieces) {
      for (const entry of entries) {
        batch.push(entry)
        bytes += sizeOf(entry)
        if (batch.length < ENTRIES_A_BATCH && bytes < BYTES_A_BATCH) continue
        await send(batch)
        batch = []
        bytes = 0
        if (failure !== undefined) throw failure.error
      }
    }
    if (batch.length > 0 && failure === undefined) await send(batch)
  } finally {
    await batches.settled()
  }
  if (failure !== undefined) throw failure.error
}

const tellAll = (
  batch: readonly FileEntry[],
  taken: readonly Result[],
  tell: (entry: FileEntry, result: Result) => void,
): void => {
  let next = 0
  let failure: { readonly error: unknown } | undefined
  for (const each of batch) {
    const result = 'entry' in each ? taken[next++] : { ...each, status: 'rejected', reason: each.problem }
    if (result === undefined) throw new CommandFailed('the response has fewer results than messages were sent')
    try {
      tell(each, result)
    } catch (error) {
      // Committed messages must be counted, even if their results can no longer be listed.
      failure ??= { error }
    }
  }
  if (failure !== undefined) throw failure.error
}

const sizeOf = (entry: FileEntry): number => {
  const text = 'entry' in entry ? (entry.entry as { readonly text?: unknown } | null)?.text : undefined
  return typeof text === 'string' ? text.length : 0
}

const ENTRIES_A_BATCH = 1000
const BYTES_A_BATCH = 4 * 1024 * 1024
const BATCHES_AT_ONCE = 4
