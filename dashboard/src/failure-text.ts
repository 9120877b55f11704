import { ApiError } from 'copilot-credits-client'

/** Why something failed, as a sentence: some messages start in lower case or have no period at the end. */
export const failureText = (error: unknown): string => {
  const message = error instanceof Error ? error.message : String(error)
  const text =
    error instanceof ApiError
      ? `${error.problem.title}: ${message}`
      : message.charAt(0).toUpperCase() + message.slice(1)
  return /[.!?]$/.test(text) ? text : `${text}.`
}
