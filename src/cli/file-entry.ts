import type { Id } from '#model/report.ts'

/** Where a message stands, from 1, and what it is, or what is wrong with it. `number` is its place in an array. */
export type FileEntry = {
  readonly line: number
  readonly column?: number
  readonly number?: number
} & ({ readonly entry: unknown } | { readonly problem: string; readonly id?: Id; readonly field?: string })

/** What a piece of a file holds: to hand on one by one would take longer than to parse them. */
export type FileEntries = readonly FileEntry[]
