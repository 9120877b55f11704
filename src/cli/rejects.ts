/** The file of what import did not take: the place, the id and what is wrong, never a text. */
import { closeSync, existsSync, fstatSync, ftruncateSync, openSync, statSync, unlinkSync, writeSync } from 'node:fs'
import { CommandFailed } from './failure.ts'
import type { FileEntry } from './file-entry.ts'
import type { Result } from './import-targets.ts'
import { shown } from './terminal.ts'

export type Rejects = {
  /** The first ones, for people. */
  readonly first: readonly string[]
  readonly count: () => number
  /** Throws CommandFailed if it cannot be written. */
  readonly add: (file: string, entry: FileEntry, result: Result) => void
  /** Throws CommandFailed as `add` does. */
  readonly flush: () => void
  /** Whether all of them are in the file. */
  readonly isWhole: () => boolean
  /** Removes the file if nothing was written to it. */
  readonly close: () => void
}

/** Opens the file at once, so that one that cannot be written is known before the first message. Throws CommandFailed. */
export const openRejects = (path: string, inputs: readonly string[]): Rejects => {
  const isNew = !existsSync(path)
  if (!isNew && inputs.some((input) => isSameFile(input, path)))
    throw new CommandFailed(`--rejects ${path} is a file that is to be imported`, 'usage')
  const file = attempt(path, () => openSync(path, 'a'))
  const first: string[] = []
  let count = 0
  let pending = ''
  let hasWritten = false
  let hasFailed = false
  const flush = (): void => {
    if (pending === '' || hasFailed) return
    const bytes = Buffer.from(pending)
    pending = ''
    // A line may be cut now: nothing can follow it.
    hasFailed = true
    attempt(path, () => {
      // What an earlier import had to say is replaced by what this one has.
      if (!hasWritten && fstatSync(file).isFile()) ftruncateSync(file)
      hasWritten = true
      for (let at = 0; at < bytes.length; ) at += writeSync(file, bytes, at)
    })
    hasFailed = false
  }
  return {
    first,
    count: () => count,
    add: (input, entry, { status, id, field = '', reason }) => {
      count++
      const why = reason ?? 'the id is taken by a message with other content'
      const { line, column, number } = entry
      const more = { ...(id !== undefined && { id }), status, ...(field !== '' && { field }), reason: why }
      const place = { file: input, place: number ?? line, line, ...(column !== undefined && { column }) }
      pending += `${JSON.stringify({ ...place, ...more })}\n`
      if (first.length < REASONS_SHOWN) {
        const name = id === undefined ? '' : ` (id ${JSON.stringify(id)})`
        first.push(shown(`${input}, ${placeText(entry)}${name}: ${field === '' ? '' : `${field} `}${why}`))
      }
      if (pending.length > PENDING_MAX) flush()
    },
    flush,
    isWhole: () => pending === '' && !hasFailed,
    close: () => {
      closeSync(file)
      if (isNew && !hasWritten) unlinkSync(path)
    },
  }
}

const REASONS_SHOWN = 5
const PENDING_MAX = 64 * 1024

const placeText = ({ number, line, column }: FileEntry): string => {
  const place = `line ${line}${column === undefined ? '' : `, column ${column}`}`
  return number === undefined ? place : `entry ${number}, ${place}`
}

const isSameFile = (a: string, b: string): boolean => {
  if (a === '-') return false
  const [one, other] = [statSync(a, { throwIfNoEntry: false }), statSync(b)]
  return one !== undefined && one.ino === other.ino && one.dev === other.dev && other.isFile()
}

const attempt = <T>(path: string, act: () => T): T => {
  try {
    return act()
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new CommandFailed(
      `${path}: what is rejected cannot be written there (${reason}): name another file with --rejects`,
    )
  }
}
