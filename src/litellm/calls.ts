/** Which log entries are calls of a model, and the message that each stands for. */

import { createHash } from 'node:crypto'
import { isJsonObject, type JsonObject } from '#formats/json-values.ts'
import { BadField } from '#intake/bad-field.ts'
import { ID_CHARACTERS_MAX, isId, isShort } from '#intake/incoming-message.ts'
import type { MessageEntry, Verdict } from '#intake/received-calls.ts'
import { nanoUsdOf } from '#intake/usage-formats.ts'
import { PROVIDER_COST } from '#model/fact-names.ts'
import { fieldIn, usageOf } from './usage.ts'

export const SOURCE = 'litellm'

export type EntrySettings = {
  /** Paths of the fields that name the member and the team, the first that is not empty. */
  readonly members: readonly string[]
  readonly teams: readonly string[]
}

/** Why an entry is no call, or none that is charged. */
export const IGNORED = {
  'nothing-logged': 'LiteLLM sent null: it could not write what the call used.',
  tool: 'A call of a tool.',
  'no-call': 'It names no model and says nothing of what it used.',
  'failed-without-usage': 'A failed call that used no tokens.',
} as const
export type IgnoredReason = keyof typeof IGNORED

/** Of an entry, parsed. */
export const verdictOn = (entry: unknown, settings: EntrySettings): Verdict => {
  if (entry === null) return { source: SOURCE, is: 'ignored', reason: 'nothing-logged' }
  if (!isJsonObject(entry)) return { source: SOURCE, is: 'rejected', field: '', reason: 'must be an object' }
  try {
    const call = callOf(entry, settings)
    if (typeof call === 'string') return { source: SOURCE, is: 'ignored', reason: call }
    return { source: SOURCE, is: 'call', entry: call }
  } catch (error) {
    if (!(error instanceof BadField)) throw error
    const { field, reason } = error
    const id = idOf(entry)
    return { source: SOURCE, is: 'rejected', ...(isId(id) && { id }), field, reason }
  }
}

const callOf = (entry: JsonObject, { members, teams }: EntrySettings): MessageEntry | IgnoredReason => {
  if (entry['call_type'] === 'call_mcp_tool') return 'tool'
  const timestamp = timestampOf(entry['endTime'])
  const hasFailed = entry['status'] === 'failure'
  const usage = usageOf(entry)
  if (usage === undefined && hasFailed) return 'failed-without-usage'
  const model = firstText(entry, ['model', 'model_group'])
  const cost = costOf(entry)
  if (usage === undefined && model === undefined && !cost) return 'no-call'
  const id = idOf(entry)
  if (id === undefined) throw new BadField('id', 'must be a text that is not empty, or litellm_call_id must be')
  const member = firstText(entry, members)
  const team = firstText(entry, teams)
  return {
    id,
    timestamp,
    ...(member !== undefined && { user_id: member }),
    ...(team !== undefined && { team_id: team }),
    ...(model !== undefined && { model }),
    ...(usage !== undefined && { usage: { ...usage } }),
    ...(cost !== undefined && { quantities: { [PROVIDER_COST]: cost } }),
    ...(entry['cache_hit'] === true && { attributes: { cache_hit: true } }),
    ...(hasFailed && { outcome: 'failed' as const }),
  }
}

/**
 * `id` is that of the provider's response, to which LiteLLM adds the time of a hit of its own cache, so each call has one of its own,
 * and a response that is only looked up again has the same. Not so `litellm_call_id`: the attempts of a request share it, clients may
 * choose it, and an old release does not send it. `trace_id` stands for a whole session. Where a provider gives no id, LiteLLM writes
 * Python's `None`.
 */
const idOf = (entry: JsonObject): string | undefined => {
  const { id: own, litellm_call_id: ofCall } = entry
  const id = [own, ofCall].find((each): each is string => typeof each === 'string' && each !== '' && each !== 'None')
  if (id === undefined) return undefined
  const whole = `litellm:${id}`
  // LiteLLM packs the deployment into the ids of some responses, which then are longer than an id may be.
  return whole.length <= ID_CHARACTERS_MAX ? whole : `litellm:sha256:${createHash('sha256').update(id).digest('hex')}`
}

/** Seconds since 1970. The milliseconds are read from the digits, because multiplying would bring in the noise of a float. */
const timestampOf = (seconds: unknown): string => {
  const [, whole = '', fraction = ''] =
    /^(\d+)(?:\.(\d+))?$/.exec(typeof seconds === 'number' ? `${seconds}` : '') ?? []
  const ms = Number(whole) * 1000 + Number(fraction.slice(0, 3).padEnd(3, '0'))
  if (ms === 0 || ms > LATEST_MS)
    throw new BadField(
      'endTime',
      'must be a number of seconds since 1970, before the year 10000 (generic_api_use_v1 must be off)',
    )
  return new Date(ms).toISOString()
}

const LATEST_MS = Date.UTC(9999, 11, 31)

/**
 * US$ × 10^9, rounded. What is no amount is left out: a cost is only for comparing. So is a 0 that LiteLLM writes if it does not know
 * the price, because a card may charge by the cost.
 */
const costOf = (entry: JsonObject): number | undefined => {
  const cost = entry['response_cost']
  const isKnown = cost !== 0 || entry['cache_hit'] === true || fieldIn(entry, 'hidden_params.response_cost') === 0
  return typeof cost === 'number' && isKnown ? nanoUsdOf(cost) : undefined
}

/** Throws BadField, because a call is kept until its whole request is there, and a long name would take as much memory. */
const firstText = (entry: JsonObject, paths: readonly string[]): string | undefined => {
  for (const path of paths) {
    const value = fieldIn(entry, path)
    if (typeof value === 'string' && value !== '') {
      if (!isShort(value)) throw new BadField(path, `must be at most ${ID_CHARACTERS_MAX} characters`)
      return value
    }
    if (typeof value === 'number') return String(value)
  }
  return undefined
}
