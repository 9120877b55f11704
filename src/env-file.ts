/** The file `.env`, in whatever encoding an editor wrote it: settings that are there must not be passed over in silence. */
import { readFileSync } from 'node:fs'
import { parseEnv } from 'node:util'

/** The settings of a file, or undefined if there is none. Throws an Error that says in one line what is wrong with it. */
export const readEnvFile = (path: string): Readonly<Record<string, string>> | undefined => {
  const bytes = bytesOf(path)
  if (bytes === undefined) return undefined
  // Lines that end with CR alone would be one line, and all settings one value.
  const text = textOf(bytes, path).replace(/\r\n?/g, '\n')
  return parseEnv(text) as Record<string, string>
}

const bytesOf = (path: string): Buffer | undefined => {
  try {
    return readFileSync(path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw new Error(`${path} cannot be read: ${error instanceof Error ? error.message : error}`)
  }
}

const textOf = (bytes: Buffer, path: string): string => {
  const [a, b] = bytes
  const isUtf16 = (a === 0xff && b === 0xfe) || (a === 0xfe && b === 0xff)
  try {
    const text = new TextDecoder(isUtf16 ? (a === 0xff ? 'utf-16le' : 'utf-16be') : 'utf-8', { fatal: true }).decode(
      bytes,
    )
    if (!text.includes('\u0000')) return text
  } catch {
    // Said below: the error of the decoder says less.
  }
  throw new Error(`${path} must be UTF-8, or UTF-16 with a byte order mark: save it as UTF-8`)
}
