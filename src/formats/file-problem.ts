import { getSystemErrorMessage } from 'node:util'

/** Why a file cannot be used, for a message that names the file: Node.js would name it again. */
export const fileProblem = (error: unknown): string => {
  if (!(error instanceof Error)) return String(error)
  const { errno } = error as NodeJS.ErrnoException
  return errno === undefined ? error.message : getSystemErrorMessage(errno)
}
