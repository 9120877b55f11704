/** A field of a message is not what it must be. `reason` never quotes a value. */
export class BadField extends Error {
  /** The path within the message, such as `usage.prompt_tokens_details.cached_tokens`. */
  readonly field: string
  readonly reason: string

  constructor(field: string, reason: string) {
    super(`${field} ${reason}`)
    this.name = 'BadField'
    this.field = field
    this.reason = reason
  }
}
