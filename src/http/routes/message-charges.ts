/** `GET /v1/messages/:id`: what a message cost, and why. */
import type { FastifyPluginCallbackTypebox } from '@fastify/type-provider-typebox'
import Type from 'typebox'
import { CHANGES, changesBetween, type ExplainedCharge } from '#answering/explaining.ts'
import { versionOf } from '#answering/versions.ts'
import { periodAt } from '#calendar/periods.ts'
import { isId } from '#intake/incoming-message.ts'
import type { Pricing } from '#model/charge.ts'
import { plainNumber } from '#model/credits.ts'
import { InvalidRequest, NotFound } from '#model/errors.ts'
import type { Facts, TokenCounts } from '#model/facts.ts'
import { toMeasurementResponse } from '#model/measurement.ts'
import type { Organization } from '#model/organization.ts'
import { type Id, parseId } from '#model/report.ts'
import { canonicalTimestamp } from '#model/timestamp.ts'
import type { StoredCharge } from '#model/usage-record.ts'
import { ruleText } from '#rating/rules.ts'
import { entityTagsOf } from '../entity-tags.ts'
import { pathParameter } from '../fields.ts'
import { BY_DATE, type ReadingOptions, readingFor } from '../reading.ts'
import { chargeLineProperties, toLineResponse } from '../schemas/charge-line.ts'
import { creditsSchema, oneOf, organizationQuery, ref, TimestampSchema } from '../schemas/common.ts'
import { ifNoneMatch, problemResponses, taggedResponses } from '../schemas/responses.ts'
import { MessageIdSchema } from '../schemas/usage.ts'
import {
  count,
  dimensions,
  rateCard,
  receivedTimestamp,
  toDimensions,
  unpricedReason,
  version,
} from '../schemas/usage-fields.ts'

export const ChargeSchema = Type.Object(
  {
    state: oneOf(['charged', 'unpriced', 'superseded'], {
      description:
        '`charged`: in effect. `unpriced`: in effect, but no rate card could price the message. `superseded`: replaced by a later charge, because the message, its report or the rate card changed.',
      examples: ['charged'],
    }),
    revision: count('0 for the first charge of the message, increased by one with each change.'),
    superseded_by: Type.Optional(count('Only if superseded: the revision that replaced this one.')),
    changed: Type.Optional(
      Type.Array(oneOf(CHANGES), {
        description:
          'Only if superseded: what the replacing revision changed. `content` means a different text with the same measurement.',
        examples: [['price']],
      }),
    ),
    timestamp: receivedTimestamp,
    ...dimensions,
    credits: Type.Optional(
      creditsSchema(
        'Total of the charge, in credits: an exact decimal with at most six decimal places. Absent if there is no price.',
      ),
    ),
    credits_now: Type.Optional(
      creditsSchema(
        'What the message costs now. Present only if a part of it stays charged in a closed period: then the line ' +
          '`charged-before` takes that part off, and `credits`, which can be negative, is the difference.',
      ),
    ),
    unpriced: unpricedReason,
    lines: Type.Array(
      Type.Object({
        ...chargeLineProperties,
        why: Type.String({ description: 'Explanation of the rule.', examples: ['Charged per word of this length.'] }),
      }),
      { description: 'One line per rule that applied. They add up to `credits`, exactly.' },
    ),
    rate_card: rateCard,
    unpriced_by: Type.Optional(
      Type.Object(
        {
          rate_card: Type.String({
            description: 'Version of the card that was in force for all messages.',
            examples: ['copilot-2026-06'],
          }),
          reason: Type.String({
            description: 'Why it has no price.',
            examples: ['the model "gpt-6" has no price in the card copilot-2026-06'],
          }),
        },
        {
          description: 'Only if the message was priced by a rate card that is for unpriced messages only: why it was.',
        },
      ),
    ),
    case: Type.Optional(
      Type.String({
        description: 'The case of the rate card that priced the message. Absent if there is no price.',
        examples: ['text'],
      }),
    ),
    priced_model: Type.Optional(
      Type.String({ description: 'The model as the rate card names it.', examples: ['gpt-5.4'] }),
    ),
    unused: Type.Optional(
      Type.Array(Type.String(), {
        description: 'Quantities and kinds of tokens above 0 that no line used. Absent if there are none.',
        examples: [['web_searches']],
      }),
    ),
    facts: Type.Optional(
      Type.Object(
        {
          usage: Type.Optional(
            Type.Record(Type.String(), count('Number of tokens.'), {
              description:
                'Tokens by kind. The kinds are disjoint, except that `reasoning_tokens` are part of `output_tokens` and ' +
                '`cache_write_1h_tokens` of `cache_write_tokens`.',
              examples: [{ input_tokens: 1200, cache_read_tokens: 0, cache_write_tokens: 0, output_tokens: 300 }],
            }),
          ),
          quantities: Type.Optional(
            Type.Record(Type.String(), Type.Number(), {
              description: 'The quantities that the sender named.',
              examples: [{ pages: 3 }],
            }),
          ),
          attributes: Type.Optional(
            Type.Record(Type.String(), Type.Union([Type.String(), Type.Boolean()]), {
              description: 'The attributes that the sender named.',
              examples: [{ feature: 'search' }],
            }),
          ),
        },
        { description: 'What the message brought besides its text and report. Absent if it brought nothing else.' },
      ),
    ),
    measurement: Type.Optional(
      Type.Object(
        {
          code_points: count('Number of characters (Unicode code points).'),
          word_lengths: Type.Array(count('Number of words.'), {
            description: 'Number of words with 1, 2, 3, … 32 characters. Longer words count as 32.',
          }),
          third_vowels: count('Number of vowels among the 3rd, 6th, 9th, … characters.'),
          words_differ: Type.Boolean({ description: 'Whether no word occurs more than once.', examples: [true] }),
          palindrome: Type.Boolean({
            description: 'Whether the letters and digits of the text read the same in both directions, ignoring case.',
            examples: [false],
          }),
        },
        { description: 'What is stored of the text, instead of the text. Absent if there was none.' },
      ),
    ),
    period: Type.Object(
      {
        start: TimestampSchema('Start of the period, inclusive.'),
        end: TimestampSchema('End of the period, exclusive.', '2024-06-01T00:00:00.000Z'),
      },
      { description: 'The billing period of the charge.' },
    ),
    recorded: TimestampSchema('When the charge was recorded.'),
  },
  { $id: 'Charge', description: 'What a message cost, with one line per pricing rule.' },
)

export const ChargesSchema = Type.Object(
  {
    version,
    message_id: MessageIdSchema,
    charges: Type.Array(ref(ChargeSchema), { description: 'All charges of the message, the one in effect first.' }),
  },
  { $id: 'Charges', description: 'All charges of a message.' },
)

const ChargeQuery = Type.Object(
  {
    ...organizationQuery,
    id_type: Type.Optional(
      Type.Union([Type.Literal('integer'), Type.Literal('string')], {
        description:
          'Whether the id is an integer or a string, to tell `1000` from `"1000"`. By default the integer if such a message ' +
          'exists, otherwise the string.',
        examples: ['integer'],
      }),
    ),
  },
  { additionalProperties: false },
)

const ChargePath = Type.Object({
  id: Type.String({ minLength: 1, maxLength: 800, description: 'Id of the message.', examples: ['1000'] }),
})

export const messageChargeRoutes: FastifyPluginCallbackTypebox<ReadingOptions> = (app, options, done) => {
  const { callers } = options

  app.get(
    '/v1/messages/:id',
    {
      onRequest: callers.may('usage:read'),
      schema: {
        operationId: 'getMessageCharges',
        tags: ['Messages'],
        summary: 'Explain what a message cost',
        description:
          'Returns every charge of the message, the one in effect first, with one line per pricing rule. Supports ' +
          '`If-None-Match`. Requires the scope `usage:read`.',
        params: ChargePath,
        querystring: ChargeQuery,
        headers: ifNoneMatch,
        response: {
          ...taggedResponses('The charges of the message.', ref(ChargesSchema)),
          ...problemResponses(400, 401, 403, 404, 500, 503),
        },
      },
    },
    async (request, reply) => {
      const { organization, queries } = await readingFor(options, request, BY_DATE)
      const { tagOf, knows } = entityTagsOf(request, organization)
      const { id } = request.params
      for (const messageId of idsIn(id, request.query.id_type)) {
        const charges = await queries.charges(organization, messageId)
        if (charges.length === 0) continue
        const answer = toCharges(messageId, charges, organization)
        // They are few, so their version is what they say.
        const version = versionOf([answer])
        reply.header('etag', tagOf(version))
        return knows?.(version) ? reply.code(304).send(undefined) : { version, ...answer }
      }
      throw new NotFound(`There is no message ${JSON.stringify(id.slice(0, 200))}.`)
    },
  )

  done()
}

const idsIn = (text: string, type: 'integer' | 'string' | undefined): readonly Id[] => {
  const id = parseId(text)
  if (type === 'integer') {
    if (typeof id !== 'number') throw new InvalidRequest(pathParameter('id'), 'an integer, because id_type is integer')
    return [id]
  }
  if (!isId(text)) throw new InvalidRequest(pathParameter('id'), 'a message id of 1 to 200 characters')
  return typeof id === 'number' && type === undefined ? [id, text] : [text]
}

const toCharges = (messageId: Id, charges: readonly ExplainedCharge[], { calendar }: Organization) => ({
  message_id: messageId,
  charges: charges.map(({ stored, facts, pricing, costs, unpricedBy }, index) => {
    const period = periodAt(calendar, stored.at)
    const next = charges[index - 1]?.stored
    return {
      state: stateOf(stored),
      revision: stored.revision,
      ...(stored.supersededBy === undefined || next === undefined
        ? {}
        : { superseded_by: stored.supersededBy, changed: [...changesBetween(stored, next)] }),
      timestamp: stored.timestamp,
      ...toDimensions(stored.cell),
      ...(stored.credits !== undefined && { credits: plainNumber(stored.credits) }),
      ...(costs !== undefined && { credits_now: plainNumber(costs) }),
      ...toPricing(pricing, stored.cell.rateCard),
      rate_card: stored.cell.rateCard,
      ...(unpricedBy && { unpriced_by: { rate_card: unpricedBy.rateCard, reason: unpricedBy.reason } }),
      ...toFacts(facts),
      period: { start: canonicalTimestamp(period.start), end: canonicalTimestamp(period.end) },
      recorded: canonicalTimestamp(stored.recordedAt),
    }
  }),
})

const toPricing = (pricing: Pricing, rateCard: string) => {
  if (pricing.status === 'unpriced') return { unpriced: pricing.reason, lines: [] }
  const { case: name, lines, unused, model } = pricing
  return {
    lines: lines.map((line) => ({ ...toLineResponse(line), why: ruleText(line.rule, rateCard).why })),
    case: name,
    ...(model !== undefined && { priced_model: model.priced }),
    ...(unused.length > 0 && { unused: [...unused] }),
  }
}

const toFacts = ({ measurement, tokens, quantities, attributes }: Facts) => {
  const facts = {
    ...(tokens !== undefined && { usage: toUsage(tokens) }),
    ...(quantities !== undefined && { quantities }),
    ...(attributes !== undefined && { attributes }),
  }
  return {
    ...(Object.keys(facts).length > 0 && { facts }),
    ...(measurement !== undefined && { measurement: toMeasurementResponse(measurement) }),
  }
}

/** Parts are shown only if there are any. */
const toUsage = ({ input, cacheRead, cacheWrite, output, reasoning, cacheWrite1h }: TokenCounts) => ({
  input_tokens: input,
  cache_read_tokens: cacheRead,
  cache_write_tokens: cacheWrite,
  output_tokens: output,
  ...(reasoning > 0 && { reasoning_tokens: reasoning }),
  ...(cacheWrite1h > 0 && { cache_write_1h_tokens: cacheWrite1h }),
})

const stateOf = ({ supersededBy, credits }: StoredCharge): 'charged' | 'unpriced' | 'superseded' => {
  if (supersededBy !== undefined) return 'superseded'
  return credits === undefined ? 'unpriced' : 'charged'
}
