import type { Id } from '#model/report.ts'

/** A message of a file, or its problem, and where it begins. All positions count from 1; `number` is the index in an array. */
export type FileEntry = {
  readonly line: number
  readonly column?: number
  readonly number?: number
} & ({ readonly entry: unknown } | { readonly problem: string; readonly id?: Id; readonly field?: string })

/** The entries of a chunk. Yielding them one by one would take longer than parsing them. */
export type FileEntries = readonly FileEntry[]

export type Chunks = AsyncIterable<Buffer>
