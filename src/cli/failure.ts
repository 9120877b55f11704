/** Ends a command with one line on standard error. `usage` means invalid arguments. */
export class CommandFailed extends Error {
  readonly kind: 'failed' | 'usage'

  constructor(message: string, kind: 'failed' | 'usage' = 'failed') {
    super(message)
    this.name = 'CommandFailed'
    this.kind = kind
  }
}

/** An invalid input file. The message never quotes anything that can be a message's text. */
export class WrongFile extends CommandFailed {
  constructor(path: string, reason: string) {
    super(`${path}${reason}`)
    this.name = 'WrongFile'
  }
}

/** An error at a place in a file. The caller that knows the path turns it into a WrongFile. Line 0 means the whole file. */
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

/** An error of a file as a whole. */
export const wrong = (reason: string): WrongPlace => new WrongPlace({ line: 0, column: 0, reason })
