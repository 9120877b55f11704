import { ApiError } from 'copilot-credits-client'

/** Why something failed, in full sentences. Some messages start in lower case or have no period at the end. */
export const failureText = (error: unknown): string => {
  const message = sentence(error instanceof Error ? error.message : String(error))
  return error instanceof ApiError ? `${sentence(error.problem.title)} ${message}` : message
}

const sentence = (text: string): string => {
  const capitalized = text.charAt(0).toUpperCase() + text.slice(1)
  return /[.!?]$/.test(capitalized) ? capitalized : `${capitalized}.`
}
