/**
 * Messages from the results of the AI SDK, OpenAI's client and Anthropic's client. Only counts, ids, models and instants are copied.
 * What the counts mean is for the service to say: `usage` goes out as it came in, with the name of its format.
 */
import type { Message } from './types.ts'

/** Fields of a message that the result does not have, such as `user_id`. They replace what the result says. */
export type ReportFields = { readonly [Name in Exclude<keyof Message, 'usage'>]?: Message[Name] | undefined }

/** A call of a model. */
type ModelCall = Pick<Message, 'model' | 'usage' | 'usage_format' | 'outcome'> & {
  readonly id?: string | undefined
  readonly timestamp?: string | undefined
}

type Members = Readonly<Record<string, unknown>>

/**
 * The messages that report a result, one for each call of a model: a result of the AI SDK has one for each step.
 *
 * Takes what `generateText`, `streamText`, `generateObject`, `streamObject` and `embed` return, and the events that their `onFinish` and
 * `onEnd` get; chat completions, responses and embeddings of OpenAI's client, and the last chunk or event of its streams; and
 * messages of Anthropic's client. Waits for a stream of the AI SDK to end.
 *
 * The id is the provider's, or a random one if there is none. With `id` in the fields, several calls get `id:1`, `id:2` and so on.
 * Rejects with TypeError if there is no usage, and says how to get it.
 */
export const messagesOf = async (result: object, fields: ReportFields = {}): Promise<readonly Message[]> => {
  const calls = await callsOf(membersOf(await result))
  const given = givenIn(fields)
  const now = new Date().toISOString()
  return calls.map((call, index) => {
    const id = fields.id !== undefined && calls.length > 1 ? `${fields.id}:${index + 1}` : fields.id
    const message = { ...call, timestamp: call.timestamp ?? now, ...given, id: id ?? call.id ?? crypto.randomUUID() }
    if (message.usage_format === undefined) {
      throw new TypeError('The result does not show whose usage it has. Name it with usage_format.')
    }
    if (message.model === undefined) throw new TypeError('The result does not name its model. Name it with model.')
    return message
  })
}

const callsOf = async (result: Members): Promise<readonly ModelCall[]> => {
  if ('steps' in result) {
    const steps = (await result['steps']) as readonly Members[]
    if (steps.length === 0) throw missing(result)
    return steps.map((step) => toCall(step, step['usage'], membersOf(step['response'])))
  }
  // Events of a stream of responses hold the response.
  if (String(result['type']).startsWith('response.') && 'response' in result) {
    return [toCall(membersOf(result['response']))]
  }
  // Of the AI SDK, where a stream's are promises.
  if ('response' in result) {
    const [usage, response] = await Promise.all([result['usage'], result['response']])
    return [toCall(result, usage, membersOf(response))]
  }
  return [toCall(result)]
}

const toCall = (result: Members, counts = result['usage'], response = result): ModelCall => {
  const usage = countsIn(counts)
  if (usage === undefined) throw missing(result)
  const { id, timestamp, created, created_at: createdAt, modelId, model = modelId } = response
  const format = formatOf(usage, result)
  const outcome = outcomeOf(result)
  return {
    id: textIn(id),
    timestamp: instantOf(timestamp ?? created ?? createdAt),
    ...(textIn(model) !== undefined && { model: textIn(model) }),
    usage,
    ...(format !== undefined && { usage_format: format }),
    ...(outcome !== undefined && { outcome }),
  } as ModelCall
}

/**
 * The counts of a usage object and of the objects in it. Undefined if there are none. Everything that is not a number stays behind,
 * and so does `raw`, where the AI SDK repeats the provider's object. NaN, which the AI SDK uses for unknown, is no count.
 */
export const countsIn = (usage: unknown): NonNullable<Message['usage']> | undefined => {
  const { raw: _, ...members } = membersOf(usage)
  const counts = numbersIn(members)
  for (const [name, inner] of Object.entries(members)) {
    const parts = numbersIn(membersOf(inner))
    if (Object.keys(parts).length > 0) counts[name] = parts
  }
  return Object.keys(counts).length > 0 ? counts : undefined
}

type Given<T> = { readonly [Name in keyof T]?: Exclude<T[Name], undefined> }

export const givenIn = <T extends object>(fields: T): Given<T> =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Given<T>

const numbersIn = (members: Members): Record<string, unknown> =>
  Object.fromEntries(Object.entries(members).filter(([, value]) => Number.isFinite(value)))

const formatOf = (usage: object, { type, object }: Members): Message['usage_format'] => {
  if ('inputTokens' in usage || 'outputTokens' in usage || 'tokens' in usage) return 'ai-sdk'
  if (type === 'message') return 'anthropic'
  // OpenRouter speaks the language of OpenAI, and states the cost.
  if ('prompt_tokens' in usage || object === 'response') return 'cost' in usage ? 'openrouter' : 'openai'
  return undefined
}

/** Undefined if it succeeded. */
export const outcomeOf = ({ status, finishReason }: Members): Message['outcome'] => {
  if (status === 'failed' || finishReason === 'error') return 'failed'
  return status === 'cancelled' ? 'cancelled' : undefined
}

/** From seconds, as OpenAI has them, or a date. Some compatible servers say 0. */
const instantOf = (value: unknown): string | undefined => {
  const date = new Date(typeof value === 'number' ? value * 1000 : (value as Date | string))
  return date.getTime() > 0 ? date.toISOString() : undefined
}

const missing = (result: Members): TypeError => {
  const { object, type, status } = result
  if (object === 'response') {
    return new TypeError(`The response has no usage while its status is ${status}. Report it when it is completed.`)
  }
  if (String(type).startsWith('response.')) {
    return new TypeError(`The event ${type} has no usage. Report the event response.completed.`)
  }
  if (object === 'chat.completion.chunk' || object === 'text_completion') {
    return new TypeError(
      'The chunk has no usage. Ask for it with stream_options: { include_usage: true }, and report the last chunk.',
    )
  }
  if (Symbol.asyncIterator in result || type === 'message_start' || type === 'message_delta') {
    return new TypeError(
      "A stream has no usage before it ends. Of OpenAI's client, ask for stream_options: { include_usage: true } and report " +
        "the last chunk; of Anthropic's, report `await stream.finalMessage()`.",
    )
  }
  return new TypeError(
    'The result has no usage. Report the whole object that the client returned. If the AI SDK knows no usage, its provider sent ' +
      'none: for a provider of createOpenAICompatible, set includeUsage: true.',
  )
}

const membersOf = (value: unknown): Members => (typeof value === 'object' && value !== null ? (value as Members) : {})

const textIn = (value: unknown): string | undefined => (typeof value === 'string' && value !== '' ? value : undefined)
