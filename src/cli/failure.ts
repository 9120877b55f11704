/** Ends a command with one line on standard error. `usage` says that it was called wrongly. */
export class CommandFailed extends Error {
  readonly kind: 'failed' | 'usage'

  constructor(message: string, kind: 'failed' | 'usage' = 'failed') {
    super(message)
    this.name = 'CommandFailed'
    this.kind = kind
  }
}

/** A file that is not what it should be. Never quotes what may be a message's text. */
export class WrongFile extends CommandFailed {
  constructor(path: string, reason: string) {
    super(`${path}${reason}`)
    this.name = 'WrongFile'
  }
}

/** A place of a file at which it is not what it should be; whoever knows the path makes a WrongFile of it. */
export class WrongPlace extends Error {
  readonly line: number
  readonly column: number

  constructor({ line, column, reason }: { readonly line: number; readonly column: number; readonly reason: string }) {
    super(reason)
    this.name = 'WrongPlace'
    this.line = line
    this.column = column
  }
}
