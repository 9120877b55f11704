/** Calls to a running service, for commands that take `--url`. */
import { CommandFailed } from './failure.ts'

/** `text` is the JSON of the body, in which every number has all of its digits. */
export type Called = { readonly status: number; readonly body: unknown; readonly text: string }

/** Resolves if the call succeeds or has one of the `expected` statuses. Throws CommandFailed. */
export type Call = (method: string, path: string, body?: unknown, expected?: readonly number[]) => Promise<Called>

export const createCaller = (url: string, key: string | undefined): Call => {
  const base = URL.parse(url)
  if (base === null || !/^https?:$/.test(base.protocol))
    throw new CommandFailed('--url must be an http or https URL', 'usage')
  const authorization = key === undefined ? {} : { authorization: `Bearer ${key}` }

  return async (method, path, body, expected = []) => {
    const address = new URL(`${base.pathname.replace(/\/$/, '')}${path}`, base)
    const headers = { ...authorization, ...(body !== undefined && { 'content-type': 'application/json' }) }
    const sent = { method, headers, ...(body !== undefined && { body: JSON.stringify(body) }) }
    const at = `${method} ${address.href}`
    const response = await fetch(address, sent).catch((error: Error) => {
      throw new CommandFailed(`${at}: ${error.cause instanceof Error ? error.cause.message : error.message}`)
    })
    const text = await response.text().catch(() => '')
    const answer = parsed(text)
    if (answer === undefined) throw new CommandFailed(`${at}: the response is not JSON; ${CHECK_URL}`)
    if (response.ok || expected.includes(response.status)) return { status: response.status, body: answer, text }
    const { detail } = answer as { readonly detail?: unknown }
    throw new CommandFailed(`${at}: status ${response.status}${typeof detail === 'string' ? `: ${detail}` : ''}`)
  }
}

/** Undefined if it is not JSON. The parser's error would quote the response. */
const parsed = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

const CHECK_URL = 'check that --url is the address of a Copilot Credits service'
