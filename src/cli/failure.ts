/** Ends a command with one line on standard error. `usage` says that it was called wrongly. */
export class CommandFailed extends Error {
  readonly kind: 'failed' | 'usage'

  constructor(message: string, kind: 'failed' | 'usage' = 'failed') {
    super(message)
    this.name = 'CommandFailed'
    this.kind = kind
  }
}
