/** The list of rejected and conflicting messages: place, id and reason, never a text. */
import { closeSync, existsSync, fstatSync, ftruncateSync, openSync, statSync, unlinkSync, writeSync } from 'node:fs'
import { fileProblem } from '#formats/file-problem.ts'
import { CommandFailed } from './failure.ts'
import type { FileEntry } from './file-entry.ts'
import type { Result } from './import-targets.ts'
import { shown } from './terminal.ts'

export type Rejects = {
  /** The first few, formatted for the terminal. */
  readonly first: readonly string[]
  readonly count: () => number
  /** Throws CommandFailed if the file cannot be written. */
  readonly add: (file: string, entry: FileEntry, result: Result) => void
  /** Throws CommandFailed if the file cannot be written. */
  readonly flush: () => void
  /** Whether the file has every message that was added. */
  readonly isWhole: () => boolean
  /** Removes the file if it is new and empty. */
  readonly close: () => void
}

/** Opens the file now, so that an unwritable file fails before the first message is charged. Throws CommandFailed. */
export const openRejects = (path: string, inputs: readonly string[]): Rejects => {
  const isNew = !existsSync(path)
  if (!isNew && inputs.some((input) => isSameFile(input, path)))
    throw new CommandFailed(`--rejects ${path} is one of the input files`, 'usage')
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
    // Until this succeeds, the last line may be incomplete, and nothing may follow it.
    hasFailed = true
    attempt(path, () => {
      // Replaces the list of an earlier import, but only once there is something to list.
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
      const why = reason ?? 'a message with this id and other content already exists'
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
    throw new CommandFailed(
      `cannot write rejected messages to ${path} (${fileProblem(error)}); choose another file with --rejects`,
    )
  }
}
