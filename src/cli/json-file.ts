import { readFile } from 'node:fs/promises'
import { fileProblem } from '#formats/file-problem.ts'
import { InvalidJson } from '#formats/json.ts'
import { WrongFile } from './failure.ts'

/** `-` is standard input. Throws WrongFile. */
export const readJsonFile = async (path: string, read: (bytes: Uint8Array) => unknown): Promise<unknown> => {
  const bytes = await readFile(path === '-' ? '/dev/stdin' : path).catch((error: unknown) => {
    throw new WrongFile(path, `: ${fileProblem(error)}`)
  })
  try {
    return read(bytes)
  } catch (error) {
    if (!(error instanceof InvalidJson)) throw error
    const { place } = error
    throw new WrongFile(
      path,
      `${place === undefined ? '' : `, line ${place.line}, column ${place.column}`}: ${error.message}`,
    )
  }
}
