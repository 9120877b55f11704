import { InvalidRequest } from '#model/errors.ts'

const decoder = new TextDecoder('utf-8', { fatal: true })

/** Parses a body. Throws InvalidRequest, without what the body holds: it may be a message's text. */
export const parseJsonBody = (bytes: Uint8Array): unknown => {
  let text: string
  try {
    text = decoder.decode(bytes)
  } catch {
    throw new InvalidRequest('body', 'valid UTF-8')
  }
  try {
    return JSON.parse(text)
  } catch {
    throw new InvalidRequest('body', 'valid JSON')
  }
}
