/** Reads `.env` in any encoding that editors write: a setting in the file must never be ignored silently. */
import { readFileSync } from 'node:fs'
import { parseEnv } from 'node:util'

/** Returns undefined if there is no such file. Throws an Error with a one-line message if the file is unusable. */
export const readEnvFile = (path: string): Readonly<Record<string, string>> | undefined => {
  const bytes = bytesOf(path)
  if (bytes === undefined) return undefined
  // parseEnv does not split lines at a lone CR: the whole file would become one setting.
  const text = textOf(bytes, path).replace(/\r\n?/g, '\n')
  return parseEnv(text) as Record<string, string>
}

const bytesOf = (path: string): Buffer | undefined => {
  try {
    return readFileSync(path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw new Error(`cannot read ${path}: ${error instanceof Error ? error.message : error}`)
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
    // The error below says more than the decoder's.
  }
  throw new Error(`${path} is neither UTF-8 nor UTF-16 with a byte order mark; save it as UTF-8`)
}
