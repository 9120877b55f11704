/** The exit codes of every command. */
export const EXIT_CODES = { ok: 0, failed: 1, usage: 2 } as const

/** Ends a command with one line on standard error. `usage` says that it was called wrongly. */
export class CommandFailed extends Error {
  readonly kind: 'failed' | 'usage'

  constructor(message: string, kind: 'failed' | 'usage' = 'failed') {
    super(message)
    this.name = 'CommandFailed'
    this.kind = kind
  }
}
