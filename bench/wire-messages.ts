/**
 * Messages prepared as bytes on the wire, so that the load generator uses little CPU: it only writes the digits of the id and
 * timestamp in place.
 */
import { madeUpText } from './texts.ts'

export const REPORT = { id: 5392, name: 'Tenant Obligations Report', credit_cost: 79 }

const ID_PLACE = '100000000000000'
const TIME_PLACE = '2026-10-01T00:00:00.000Z'
const TEXTS = 2000

export type WireMessage = { readonly bytes: Buffer; readonly idAt: number; readonly timeAt: number }

export type Kind = 'texts' | 'tokens'

/** Half have one of 25 members. A quarter of the texts is priced by a report; tokens are of one of four models. */
export const wireMessages = (kind: Kind = 'texts'): readonly WireMessage[] =>
  Array.from({ length: TEXTS }, (_, index) => {
    const brought = kind === 'texts' ? textOf(index) : tokensOf(index)
    const member = index % 2 === 0 ? `,"user_id":"user-${index % 50}"` : ''
    const bytes = Buffer.from(`{"id":${ID_PLACE},"timestamp":"${TIME_PLACE}",${brought}${member}}`)
    return { bytes, idAt: bytes.indexOf(ID_PLACE), timeAt: bytes.indexOf(TIME_PLACE) }
  })

const textOf = (index: number): string =>
  `"text":${JSON.stringify(madeUpText(index))}${index % 4 === 0 ? `,"report_id":${REPORT.id}` : ''}`

const MODELS = ['gpt-5.4', 'gpt-5.4-mini', 'claude-sonnet-4.6', 'gemini-3.1-pro'] as const

/** As OpenAI reports it. */
const tokensOf = (index: number): string => {
  const [prompt, cached, completion] = [(index * 7919) % 60_000, (index * 104_729) % 40_000, (index * 31) % 3000]
  const usage = {
    prompt_tokens: prompt + cached,
    prompt_tokens_details: { cached_tokens: cached },
    completion_tokens: completion,
  }
  const model = MODELS[index % MODELS.length]
  return `"model":"${model}","usage_format":"openai","usage":${JSON.stringify(usage)}`
}

/** Writes message number `id`, sent at `at` (milliseconds since 1970), to `target`; returns where it ends. */
export const writeMessage = (target: Buffer, offset: number, message: WireMessage, id: number, at: string): number => {
  message.bytes.copy(target, offset)
  target.write(String(Number(ID_PLACE) + id), offset + message.idAt, 'latin1')
  target.write(at, offset + message.timeAt, 'latin1')
  return offset + message.bytes.length
}
