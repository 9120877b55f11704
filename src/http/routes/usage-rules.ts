/** `GET /v1/usage/rules`: what messages have cost, by the rules and cases of their rate cards. */
import type { FastifyPluginCallbackTypebox } from '@fastify/type-provider-typebox'
import Type from 'typebox'
import type { CaseTotal, RuleTotal } from '#answering/rule-sums.ts'
import { plainNumber, plainQuantity } from '#model/credits.ts'
import { entityTagsOf } from '../entity-tags.ts'
import { signalOfLeaving } from '../leaving.ts'
import { rangeIn } from '../range.ts'
import { type ReadingOptions, readingFor } from '../reading.ts'
import { CreditsSchema, creditsSchema, organizationQuery, quantitySchema, rangeQuery, ref } from '../schemas/common.ts'
import { ifNoneMatch, problemResponses, taggedResponses } from '../schemas/responses.ts'
import {
  count,
  filterIn,
  filterQuery,
  messageCount,
  provenance,
  rateCard,
  toProvenance,
  toSum,
  unpricedCount,
  version,
} from '../schemas/usage-fields.ts'

export const CaseUsageSchema = Type.Object(
  {
    rate_card: rateCard,
    case: Type.Optional(
      Type.String({
        description: 'The case of the rate card. Absent: the messages for which the card has no price.',
        examples: ['text'],
      }),
    ),
    messages: messageCount,
    unpriced: unpricedCount,
    credits: CreditsSchema,
    rules: Type.Array(
      Type.Object({
        rule: Type.String({
          description:
            'The rule. `minimum` fills up to the least that a message costs, and `charged-before` takes off what stays charged ' +
            'in a closed period.',
          examples: ['words'],
        }),
        messages: count('Number of messages to which the rule applied.'),
        of: Type.Optional(
          Type.String({
            description: 'What the rule counts. Absent if it counts nothing, or not always the same.',
            examples: ['words'],
          }),
        ),
        quantity: Type.Optional(
          quantitySchema('How much of it: an exact decimal with at most six decimal places. Absent if `of` is.'),
        ),
        credits: creditsSchema('What the rule added, in credits; negative if it took off.'),
      }),
      { description: 'The rules that applied, those that cost most first. They add up to `credits`, exactly.' },
    ),
  },
  { $id: 'CaseUsage', description: 'What the messages of one case of a rate card cost, by rule.' },
)

export const UsageByRuleSchema = Type.Object(
  {
    version,
    messages: messageCount,
    unpriced: unpricedCount,
    credits: CreditsSchema,
    cases: Type.Array(ref(CaseUsageSchema), {
      description: 'The cases that have messages, those that cost most first. They add up to the totals of the range.',
    }),
    ...provenance,
  },
  { $id: 'UsageByRule', description: 'What messages have cost, by the rules and cases of their rate cards.' },
)

const RulesQuery = Type.Object({ ...organizationQuery, ...rangeQuery, ...filterQuery }, { additionalProperties: false })

export const usageRuleRoutes: FastifyPluginCallbackTypebox<ReadingOptions> = (app, options, done) => {
  const { callers } = options

  app.get(
    '/v1/usage/rules',
    {
      onRequest: callers.may('usage:read'),
      schema: {
        operationId: 'getUsageByRule',
        tags: ['Usage'],
        summary: 'Get usage by rule',
        description:
          'Returns what the messages of a billing period or range (the current period by default) have cost by the rules and ' +
          'cases of the rate cards that charged them.\n\n' +
          'Every message is explained again from what is kept of it, which takes seconds per million messages. The ' +
          'answer is kept until something in the range changes. Supports `If-None-Match`. Requires the scope `usage:read`.',
        querystring: RulesQuery,
        headers: ifNoneMatch,
        response: {
          ...taggedResponses('The usage by rule.', ref(UsageByRuleSchema)),
          ...problemResponses(400, 401, 403, 404, 500, 502, 503, 504),
        },
      },
    },
    async (request, reply) => {
      const reading = await readingFor(options, request, request.query)
      const { organization } = reading
      const { tagOf, knows } = entityTagsOf(request, organization)
      const { version, answer } = await reading.byRule(
        organization,
        { ...rangeIn(reading, request.query), ...filterIn(request.query) },
        { signal: signalOfLeaving(reply.raw), knows },
      )
      reply.header('etag', tagOf(version))
      if (answer === undefined) return reply.code(304).send(undefined)
      return { version, ...toSum(answer), cases: answer.cases.map(toCase), ...toProvenance(answer) }
    },
  )

  done()
}

const toCase = ({ rateCard, name, rules, ...sum }: CaseTotal) => ({
  rate_card: rateCard,
  ...(name !== undefined && { case: name }),
  ...toSum(sum),
  rules: rules.map(toRule),
})

const toRule = ({ rule, messages, credits, counted }: RuleTotal) => ({
  rule,
  messages,
  ...(counted && { of: counted.of, quantity: plainQuantity(counted.millionths) }),
  credits: plainNumber(credits),
})
