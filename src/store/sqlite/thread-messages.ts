/** What goes back and forth between the threads. */

export type Answer = { readonly id: number; readonly value?: unknown; readonly failure?: Failure }

/** An error as it can be sent; SQLite's messages name tables and files, never values. */
export type Failure = { readonly message: string }

export const toFailure = (error: unknown): Failure => ({
  message: error instanceof Error ? error.message : String(error),
})
