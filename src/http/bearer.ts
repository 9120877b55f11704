/** The API key in the header Authorization. */
import { NoKey, NotAKey, Unauthenticated } from '#identity/access.ts'

/** Undefined without the header, and empty if it is anything but `Bearer` and a key. */
export const keyIn = (authorization: string | undefined): string | undefined =>
  authorization === undefined ? undefined : (/^Bearer +(\S+)$/i.exec(authorization)?.[1] ?? '')

/** Says in which header the key belongs. */
export const aboutHeader = (error: unknown): unknown => {
  if (error instanceof NoKey) return new Unauthenticated('Send an API key as `Authorization: Bearer cck_…`.')
  if (!(error instanceof NotAKey)) return error
  return new Unauthenticated(
    'The Authorization header must be `Bearer` followed by a complete API key, which begins with cck_.',
  )
}
